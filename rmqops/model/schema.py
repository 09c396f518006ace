"""What an inventory may say: every variable with its type, its default and its meaning.

Drawn from the role itself (``meta/argument_specs.yml`` and ``defaults/main.yml``), so that Ansible and rmqops
hold an inventory to the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from rmqops.model import yamltext
from rmqops.model.topology import Value

SettingType = Literal["str", "int", "bool", "list", "dict"]


@dataclass(frozen=True)
class Setting:
    """One inventory variable."""

    name: str
    type: SettingType
    description: str
    choices: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True)
class Schema:
    """Every inventory variable of the role."""

    settings: Mapping[str, Setting]
    defaults: Mapping[str, Value]
    """Defaults and helper variables; templates are not resolved."""


def schema(argument_specs: str, defaults: str) -> Schema:
    """Build the schema from the texts of the role's two files."""
    specs = yamltext.read("argument_specs.yml", argument_specs)[0].plain()
    main = cast("dict[str, dict[str, dict[str, dict[str, dict[str, Value]]]]]", specs)["argument_specs"]["main"]
    settings = {name: _setting(name, option) for name, option in main["options"].items()}
    return Schema(settings, yamltext.read("defaults.yml", defaults)[0].plain())


def _setting(name: str, option: Mapping[str, Value]) -> Setting:
    choices = option.get("choices")
    return Setting(
        name,
        cast("SettingType", option["type"]),
        " ".join(str(option["description"]).split()),
        tuple(str(choice) for choice in choices) if isinstance(choices, list) else (),
        required=bool(option.get("required", False)),
    )
