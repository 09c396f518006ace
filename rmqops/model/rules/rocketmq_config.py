"""Keys in `rocketmq_config` are keys of that release, with values that it can use, and are not rmqops' own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from rmqops.errors import Problem
from rmqops.model.cluster import Cluster, InventoryHost
from rmqops.model.config_keys import ConfigKey
from rmqops.model.config_values import VARIABLE, ConfigValues
from rmqops.model.nearest import suggestion
from rmqops.model.topology import Kind

_PROGRAM: Final[Mapping[Kind, str]] = {"broker": "broker", "namesrv": "NameServer"}
_GROUP: Final[Mapping[Kind, str]] = {"broker": "brokers", "namesrv": "namesrv"}


def check(cluster: Cluster) -> Iterator[Problem]:
    """Yield keys that RocketMQ would ignore in silence, and values that it would swallow or end of."""
    own = {kind: cluster.reference.config_checks.own(kind) for kind in _PROGRAM}
    for host in cluster.members:
        values = ConfigValues(host, cluster.reference)
        if not values.keys:
            continue
        for name in values.written:
            if name in own[host.kind]:
                yield _problem(values, name, "is written by rmqops", f"{own[host.kind][name]} instead")
            elif name not in values.keys:
                yield _unknown(values, name)
            else:
                yield from _value(values, name, values.keys[name])


def _value(values: ConfigValues, name: str, key: ConfigKey) -> Iterator[Problem]:
    value = values.written[name]
    if (remedy := key.fault(value)) is not None:
        what = f"is no value for RocketMQ's {name}, of type {key.type}: it would be dropped in silence"
        yield _problem(values, name, what, _with_default(remedy, key))
        return
    known = values.check(name)
    directory = values.text(known.variable) if known and known.variable else None
    if known and (remedy := known.fault(value, directory or "")) is not None:
        what = f"is no value for RocketMQ's {name}: {known.effect} ({known.source.partition('#')[0]})"
        yield _problem(values, name, what, remedy if known.kind == "only" else _with_default(remedy, key))


def _unknown(values: ConfigValues, name: str) -> Problem:
    host = values.host
    other: Kind = "namesrv" if host.kind == "broker" else "broker"
    version = host.text("rocketmq_version")
    what = f"is not a key of a {_PROGRAM[host.kind]} of RocketMQ {version}, and would be ignored in silence"
    if name in values.reference.config_keys[version][other]:
        remedy = f"It is one of a {_PROGRAM[other]}: set it in the group {_GROUP[other]}"
    else:
        remedy = suggestion(name, values.keys) or "Remove it; docs/config-keys.md lists the keys"
    return _problem(values, name, what, remedy)


def _with_default(remedy: str, key: ConfigKey) -> str:
    return f"{remedy}; the default is {key.default}" if key.default else remedy


def _problem(values: ConfigValues, name: str, message: str, remedy: str) -> Problem:
    host: InventoryHost = values.host
    return host.problem(f"{VARIABLE}.{name}", message, remedy, found=repr(values.written[name]))
