"""Every `rocketmq_` variable is one that rmqops knows, of the right type, and the required ones are there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from rmqops.errors import Problem
from rmqops.model.ansible import is_number
from rmqops.model.cluster import CLIENT_KEYS, Cluster, InventoryHost
from rmqops.model.nearest import suggestion
from rmqops.model.schema import Setting
from rmqops.model.topology import Value

_PREFIX: Final = "rocketmq_"
_TYPES: Final = {
    "str": "Write a text",
    "int": "Write a whole number",
    "bool": "Write true or false, without quotes: any text counts as true in a template",
    "list": "Write a list: one `- item` a line",
    "dict": "Write a mapping: one `key: value` a line",
}
_SECONDS: Final = ("rocketmq_stop_timeout", "rocketmq_start_timeout")


def check(cluster: Cluster) -> Iterator[Problem]:
    """Yield unknown, missing and mistyped variables."""
    settings = cluster.reference.schema.settings
    for host in cluster.members:
        yield from _variables(cluster, host, settings.values())
    for host in cluster.clients:
        yield from _variables(cluster, host, [settings[key] for key in CLIENT_KEYS])


def _variables(cluster: Cluster, host: InventoryHost, settings: Iterable[Setting]) -> Iterator[Problem]:
    for key in host.raw.variables:
        if key.startswith(_PREFIX) and key not in cluster.reference.schema.settings:
            yield _unknown(cluster, host, key)
    for setting in settings:
        if setting.name in host.values:
            yield from _typed(host, setting, host.values[setting.name])
        elif setting.required and setting.name not in host.raw.variables:
            what = f"is not set, and has no default: {setting.description[0].lower()}{setting.description[1:]}"
            yield host.problem(setting.name, what.rstrip("."), "Set it under `all: vars:`")


def _unknown(cluster: Cluster, host: InventoryHost, key: str) -> Problem:
    schema = cluster.reference.schema
    value = host.raw.variables[key]
    if key in schema.defaults:
        return host.problem(key, "is derived by rmqops, not for an inventory to set", "Remove it", found=value)
    remedy = suggestion(key, schema.settings) or "Name a variable of your own without rocketmq_"
    return host.problem(key, "is not a variable that rmqops knows", remedy, found=value)


def _typed(host: InventoryHost, setting: Setting, value: Value) -> Iterator[Problem]:
    if not _fits(setting, value):
        yield host.problem(setting.name, f"is not a {_name(setting)}", _TYPES[setting.type], found=repr(value))
    elif setting.choices and str(value) not in setting.choices:
        remedy = suggestion(str(value), setting.choices) or f"Use one of {', '.join(setting.choices)}"
        yield host.problem(setting.name, "is not one of its values", remedy)
    elif setting.name in _SECONDS and int(host.text(setting.name)) < 1:
        yield host.problem(setting.name, "is not a number of seconds", "Use at least 1")
    elif setting.required and not host.text(setting.name).strip():
        yield host.problem(setting.name, "is empty", "Give it a value", found="''")


def _name(setting: Setting) -> str:
    return {"str": "text", "int": "whole number", "bool": "truth value", "dict": "mapping"}.get(
        setting.type, "list"
    )


def _fits(setting: Setting, value: Value) -> bool:
    if setting.type == "int":
        return is_number(value)
    if setting.type == "str":
        return isinstance(value, str | int | float) and not isinstance(value, bool)
    if setting.type == "bool":
        return isinstance(value, bool)
    return isinstance(value, list if setting.type == "list" else dict)
