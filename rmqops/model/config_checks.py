"""What a value of RocketMQ's configuration must be beyond its type, from the code that uses it.

RocketMQ parses many values itself, long after it has started: a wrong one is swallowed, or ends the broker without
a word. The data, ``config_checks.json``, has every key of every release once: how its value is checked, what
RocketMQ does with a wrong one, the class and method that do it, and in whose company the key does nothing.
``docs/config-keys.md`` is drawn from it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast

from rmqops.errors import Severity
from rmqops.model.config_keys import CLASSES
from rmqops.model.topology import Kind, Value

CheckKind = Literal["none", "own", "only", "range", "hours", "delays", "address", "topic", "inside"]
Condition = Mapping[str, tuple[str, ...]]
"""The values of which each key, or inventory variable, has one where something holds; empty: it always holds."""

_HOUR: Final = re.compile(r"[01]?[0-9]|2[0-3]", re.ASCII)
_DELAY: Final = re.compile(r"([0-9]{1,18})([smhd])", re.ASCII)
_MILLISECONDS: Final = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_LONGEST_DELAY: Final = 2**62
"""A delay is added to the time of day in a ``long``."""
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.-]+:([0-9]{1,5})", re.ASCII)
_TOPIC: Final = re.compile(r"[%|A-Za-z0-9_-]{1,127}", re.ASCII)
"""``Validators.VALID_PATTERN_STR``; the store has one signed byte for the length (``CommitLog``)."""


@dataclass(frozen=True)
class Idle:
    """In whose company a key does nothing."""

    when: Condition
    because: str


@dataclass(frozen=True)
class KeyCheck:
    """How the value of a key is checked."""

    kind: CheckKind
    effect: str
    """What RocketMQ does with a wrong value; of what is not checked, why there is nothing to check."""
    source: str
    """``Class#method`` that does it."""
    remedy: str = ""
    """What to do instead, of ``own`` and ``only``."""
    values: tuple[str, ...] = ()
    """Of ``only``: all that is allowed."""
    least: int | None = None
    greatest: int | None = None
    also: tuple[int, ...] = ()
    """Of ``range``: what is allowed outside of it."""
    multiple: int = 1
    variable: str = ""
    """Of ``inside``: the inventory variable with the directory."""
    idle: tuple[Idle, ...] = ()
    same: str = ""
    """Why all members of a group must have the same value; empty where they need not."""

    def fault(self, value: Value, directory: str = "") -> str | None:
        """Return what to write instead of a value of the right type; None when it is good.

        Args:
            value: As the inventory has it.
            directory: Of ``inside``: where the path must lie.
        """
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if self.kind == "range":
            return self._range_fault(int(text))
        if self.kind == "inside":
            inside = text.startswith(f"{directory.rstrip('/')}/") and ".." not in text.split("/")
            return None if inside else f"Name a file in {self.variable}, {directory}"
        good = {
            "only": text.lower() in self.values,
            "hours": _are_hours(text),
            "delays": _are_delays(text),
            "address": _is_address(text),
            "topic": _TOPIC.fullmatch(text) is not None,
        }
        return None if good.get(self.kind, True) else self.wanted

    def _range_fault(self, number: int) -> str | None:
        if number in self.also:
            return None
        low = self.least is not None and number < self.least
        high = self.greatest is not None and number > self.greatest
        if low or high:
            return self.wanted
        if number % self.multiple:
            return f"Write {-(-number // self.multiple) * self.multiple}: that is what RocketMQ makes of it"
        return None

    @property
    def wanted(self) -> str:
        """What a value must be, as a remedy says it; empty where nothing is checked."""
        if self.kind == "range":
            return self._range_words()
        return {
            "hours": "Use full hours from 0 to 23 with `;` between them, in quotes, such as '04' or '04;16'",
            "delays": "Use numbers with s, m, h or d, one blank between them, such as '1s 30s 5m 2h'",
            "address": "Use an address and a port, such as 10.0.0.1:10912",
            "topic": "Use at most 127 letters, digits, `_`, `-`, `%` and `|`",
            "inside": f"Name a file in {self.variable}",
        }.get(self.kind, self.remedy)

    def _range_words(self) -> str:
        if self.greatest is None:
            words = f"Use at least {self.least}"
        else:
            words = f"Use a number from {self.least} to {self.greatest}"
        words += f", a multiple of {self.multiple}" if self.multiple > 1 else ""
        return words + "".join(f", or {number}" for number in self.also)


@dataclass(frozen=True)
class Combination:
    """What several values must be together: a sum within a bound, or a product within a size of memory."""

    keys: tuple[str, ...]
    says: str
    effect: str
    source: str
    severity: Severity
    when: Condition
    terms: Mapping[str, int]
    """Of a sum: each key's factor; a key that a release does not have is left out."""
    greatest: int
    """Of a sum: the most that it may come to."""
    product: tuple[str, ...]
    within: tuple[str, ...]
    """Of a product: the variables with the size, the first that is set counts."""

    def broken(self, values: Mapping[str, int | None], room: int | None) -> bool:
        """Tell whether values break it; what is not known breaks nothing.

        Args:
            values: The numbers in force of those of its keys that the release has.
            room: Bytes, of a product.
        """
        known = {key: value for key, value in values.items() if value is not None}
        if len(known) < len(values):
            return False
        if self.terms:
            return sum(self.terms[key] * value for key, value in known.items()) > self.greatest
        needed = 1
        for value in known.values():
            needed *= value
        return room is not None and needed > room


@dataclass(frozen=True)
class ConfigChecks:
    """Every check: by class, by key, with the releases it is for, and those of several keys."""

    keys: Mapping[str, Mapping[str, tuple[tuple[frozenset[str] | None, KeyCheck], ...]]]
    """By class and key; no releases are all that have the key."""
    together: tuple[Combination, ...]

    def of(self, version: str, kind: Kind, name: str) -> KeyCheck | None:
        """Return how a program of a release wants a key's value checked; None for what is no key of it."""
        for owner in CLASSES[kind]:
            for releases, check in self.keys.get(owner, {}).get(name, ()):
                if releases is None or version in releases:
                    return check
        return None

    def own(self, kind: Kind) -> Mapping[str, str]:
        """Return the keys of a program that rmqops writes itself, in any release, and what to set instead."""
        return {
            name: check.remedy
            for owner in CLASSES[kind]
            for name, entries in self.keys.get(owner, {}).items()
            for _, check in entries
            if check.kind == "own"
        }


def parse(text: str) -> ConfigChecks:
    """Read the data file."""
    document = cast("dict[str, list[dict[str, Value]]]", json.loads(text))
    keys: dict[str, dict[str, tuple[tuple[frozenset[str] | None, KeyCheck], ...]]] = {}
    for entry in document["keys"]:
        releases = frozenset(_texts(entry["releases"])) if "releases" in entry else None
        known = keys.setdefault(str(entry["class"]), {})
        for name in _texts(entry["keys"]):
            known[name] = (*known.get(name, ()), (releases, _key_check(entry)))
    return ConfigChecks(keys, tuple(_combination(entry) for entry in document["together"]))


def _key_check(entry: Mapping[str, Value]) -> KeyCheck:
    check = cast("dict[str, Value]", entry["check"])
    return KeyCheck(
        kind=cast("CheckKind", check["kind"]),
        effect=str(entry["effect"]),
        source=str(entry["source"]),
        remedy=str(check.get("remedy", "")),
        values=_texts(check.get("values", [])),
        least=cast("int | None", check.get("min")),
        greatest=cast("int | None", check.get("max")),
        also=tuple(cast("list[int]", check.get("also", []))),
        multiple=cast("int", check.get("multiple", 1)),
        variable=str(check.get("variable", "")),
        idle=tuple(
            Idle(_condition(one["when"]), str(one["because"]))
            for one in cast("list[dict[str, Value]]", entry.get("idle", []))
        ),
        same=str(entry.get("same", "")),
    )


def _combination(entry: Mapping[str, Value]) -> Combination:
    return Combination(
        keys=_texts(entry["keys"]),
        says=str(entry["says"]),
        effect=str(entry["effect"]),
        source=str(entry["source"]),
        severity=cast("Severity", entry.get("severity", "error")),
        when=_condition(entry.get("when", {})),
        terms=cast("dict[str, int]", entry.get("terms", {})),
        greatest=cast("int", entry.get("max", 0)),
        product=_texts(entry.get("product", [])),
        within=_texts(entry.get("within", [])),
    )


def _condition(value: Value) -> Condition:
    return {name: _texts(values) for name, values in cast("dict[str, Value]", value).items()}


def _texts(value: Value) -> tuple[str, ...]:
    return tuple(str(item) for item in cast("Iterable[Value]", value))


def _are_hours(text: str) -> bool:
    """Tell whether ``UtilAll.isItTimeToDo`` reads every part, and some hour comes."""
    return all(_HOUR.fullmatch(part) for part in text.split(";"))


def _are_delays(text: str) -> bool:
    """Tell whether ``ScheduleMessageService.parseDelayLevel`` reads every level, and none is longer than time."""
    matches = [_DELAY.fullmatch(part) for part in text.split(" ")]
    return all(match and int(match[1]) * _MILLISECONDS[match[2]] < _LONGEST_DELAY for match in matches)


def _is_address(text: str) -> bool:
    match = _ADDRESS.fullmatch(text)
    return match is not None and 0 < int(match[1]) <= 65535
