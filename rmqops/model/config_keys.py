"""The keys of RocketMQ's own configuration, by release and by program.

RocketMQ ignores an unknown key and swallows a value that does not convert (``MixAll.properties2Object``), so a
typo is never reported there. The data, ``config_keys.json``, is drawn from the sources by
``scripts/draw_config_keys.py``. Spellings differ: 4.5.2 has ``mappedFileSizeCommitLog``, earlier ones ``maped…``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast

from rmqops.model.topology import Kind, Value

JavaType = Literal["int", "long", "double", "float", "boolean", "String"]

CLASSES: Final[Mapping[Kind, tuple[str, ...]]] = {
    "broker": ("BrokerConfig", "NettyServerConfig", "NettyClientConfig", "MessageStoreConfig", "BrokerStartup"),
    "namesrv": ("NamesrvConfig", "NettyServerConfig"),
}
"""The classes that each program fills from its file (``BrokerStartup`` and ``NamesrvStartup``)."""

_BOUNDS: Final = {"int": 2**31, "long": 2**63}


@dataclass(frozen=True)
class ConfigKey:
    """One key."""

    name: str
    type: JavaType
    default: str | None = None
    """As in the source; None where it is not a literal."""
    choices: tuple[str, ...] = ()

    def fault(self, value: Value) -> str | None:
        """Say what is wrong with a value, in the words of the remedy; None when RocketMQ would take it."""
        if value is None or isinstance(value, list | dict):
            return f"Write one {self.type}"
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if self.choices:
            return None if text in self.choices else f"Use one of {', '.join(self.choices)}"
        if self.type == "boolean":
            return None if text.lower() in {"true", "false"} else "Use true or false"
        if self.type == "String":
            plain = text.isascii() and text.isprintable() and "\\" not in text and text == text.strip()
            return None if plain else "Use printable ASCII without backslashes: Java reads the file as ISO-8859-1"
        if self.type in _BOUNDS:
            bound = _BOUNDS[self.type]
            whole = not isinstance(value, bool | float) and text.removeprefix("-").isdecimal() and text.isascii()
            inside = whole and len(text) < 21 and -bound <= int(text) < bound
            return None if inside else f"Use a whole number from {-bound} to {bound - 1}"
        return None if _is_number(text) else "Use a number"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


ConfigKeys = Mapping[str, Mapping[Kind, Mapping[str, ConfigKey]]]
"""By release, by program, by name."""


def parse(text: str) -> ConfigKeys:
    """Read the data file."""
    releases = cast("dict[str, dict[str, dict[str, dict[str, Value]]]]", json.loads(text))
    return {
        version: {
            kind: {name: _key(name, key) for owner in owners for name, key in classes[owner].items()}
            for kind, owners in CLASSES.items()
        }
        for version, classes in releases.items()
    }


def _key(name: str, key: Mapping[str, Value]) -> ConfigKey:
    choices = key.get("choices")
    default = key.get("default")
    return ConfigKey(
        name,
        cast("JavaType", key["type"]),
        default if isinstance(default, str) else None,
        tuple(str(choice) for choice in choices) if isinstance(choices, list) else (),
    )
