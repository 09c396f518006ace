"""What a drill is, and how its YAML file is read: strictly, so that a slip of the pen is never a default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib import resources
from typing import Literal, TypeVar, cast

from rmqops.chaos import faults
from rmqops.chaos.settings import Settings
from rmqops.errors import UsageError

Allowance = Literal["majority", "last-nameserver", "several-groups"]
Expectation = Literal["service", "standstill"]
EXPECTATIONS: tuple[Expectation, ...] = ("service", "standstill")
ALLOWANCES: tuple[Allowance, ...] = ("majority", "last-nameserver", "several-groups")

STANDSTILL = 3.0
"""Seconds after the loss of a majority in which an answer that was under way may still come."""

_SUFFIX = ".yml"
_T = TypeVar("_T", "Load", "Times")


@dataclass(frozen=True)
class Load:
    """What sends and receives while the drill runs."""

    producers: int = 2
    """Processes that send."""
    consumers: int = 1
    """Processes that receive; each reads every queue."""
    rate: float = 100
    """Messages per second and producer."""
    size: int = 128
    """Bytes of a body."""
    queues: int = 4
    """Queues of the drill's topic on each group."""


@dataclass(frozen=True)
class Times:
    """Seconds: how long a phase lasts, or how long it may last."""

    before: float = 5
    """Load before the strike."""
    fail_over: float = 60
    """At most this long until a new master stands and sends are sustained."""
    hold: float = 5
    """Load with the fault still in force, after that."""
    recover: float = 120
    """At most this long until the healed cluster is healthy."""
    after: float = 5
    """Load after that."""
    deadline: float = 120
    """When the host heals itself, counted from the moment before the strike."""


@dataclass(frozen=True)
class Drill:
    """A named chaos scenario, as data."""

    name: str
    description: str
    proves: tuple[str, ...]
    does_not_prove: tuple[str, ...]
    fault: str
    target: str
    load: Load = Load()
    times: Times = Times()
    allows: tuple[Allowance, ...] = ()
    """What the guard lets pass, because the drill is about it."""
    expects: Expectation = "service"
    """Whether the struck group must serve again before the heal, or must not."""

    def asked(self, settings: Settings) -> Settings:
        """Return the checks' settings with what the drill expects."""
        return replace(settings, standstill=STANDSTILL if self.expects == "standstill" else 0.0)


def names() -> tuple[str, ...]:
    """Return the name of every drill that rmqops ships."""
    shipped = resources.files("rmqops.chaos").joinpath("drills").iterdir()
    return tuple(sorted(entry.name.removesuffix(_SUFFIX) for entry in shipped if entry.name.endswith(_SUFFIX)))


@cache
def find(name: str) -> Drill:
    """Return the drill of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in names():
        raise UsageError(f"there is no drill {name!r}", remedy=f"use one of {', '.join(names())}")
    file = f"{name}{_SUFFIX}"
    return parse(resources.files("rmqops.chaos").joinpath("drills", file).read_text("utf-8"), file)


def parse(text: str, source: str) -> Drill:
    """Read a drill.

    Args:
        text: The YAML.
        source: The file's name, for messages.

    Raises:
        UsageError: it is not a drill; names the file and the key.
    """
    import yaml

    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(
            f"{source} is not YAML: {error}", remedy="compare it with a drill that rmqops ships"
        ) from error
    found = _mapping(document, source, {field.name for field in fields(Drill)})
    missing = {"name", "description", "proves", "does_not_prove", "fault", "target"} - set(found)
    if missing:
        raise _wrong(source, ", ".join(sorted(missing)), "is missing")
    drill = Drill(
        name=_text(found, "name", source),
        description=_text(found, "description", source),
        proves=_texts(found, "proves", source),
        does_not_prove=_texts(found, "does_not_prove", source),
        fault=_text(found, "fault", source),
        target=_text(found, "target", source),
        load=_numbers(Load(), found.get("load", {}), f"{source}: load"),
        times=_numbers(Times(), found.get("times", {}), f"{source}: times"),
        allows=cast("tuple[Allowance, ...]", _texts(found, "allows", source) if "allows" in found else ()),
        expects=cast("Expectation", _text({"expects": "service", **found}, "expects", source)),
    )
    if drill.expects not in EXPECTATIONS:
        raise _wrong(source, "expects", f"is {drill.expects!r}; known are {', '.join(EXPECTATIONS)}")
    unknown = set(drill.allows) - set(ALLOWANCES)
    if unknown:
        raise _wrong(source, "allows", f"has {', '.join(sorted(unknown))}; known are {', '.join(ALLOWANCES)}")
    faults.find(drill.fault)
    return check(drill)


def check(drill: Drill) -> Drill:
    """Return a drill whose numbers make sense together.

    Raises:
        UsageError: they do not.
    """
    load, times = drill.load, drill.times
    for name in ("producers", "consumers", "queues"):
        if getattr(load, name) < 1:
            raise UsageError(f"a drill needs {name}: {getattr(load, name)} are none", remedy="give 1 or more")
    if not 0 < load.rate <= 100_000:
        raise UsageError(
            f"a rate of {load.rate:g} messages a second", remedy="give more than 0 and at most 100000"
        )
    if not 32 <= load.size <= 4_000_000:
        raise UsageError(f"bodies of {load.size} bytes", remedy="give 32 to 4000000; a body begins with its key")
    short = [field.name for field in fields(times) if getattr(times, field.name) < 0]
    if short:
        raise UsageError(f"{', '.join(short)} must not be negative")
    if times.deadline < times.hold + 10:
        raise UsageError(
            f"a deadline of {times.deadline:g} s leaves less than 10 s besides the {times.hold:g} s of hold",
            remedy=f"give at least {times.hold + 10:g}",
        )
    return drill


def _wrong(source: str, key: str, what: str) -> UsageError:
    return UsageError(f"{source}: {key} {what}", remedy="compare it with a drill that rmqops ships")


def _mapping(value: object, source: str, known: set[str]) -> Mapping[str, object]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _wrong(source, "the whole", "is not a mapping of names")
    unknown = sorted(set(value) - known)
    if unknown:
        raise _wrong(source, ", ".join(unknown), f"is not known; known are {', '.join(sorted(known))}")
    return value


def _text(found: Mapping[str, object], key: str, source: str) -> str:
    value = found[key]
    if isinstance(value, str) and value:
        return value
    raise _wrong(source, key, f"is {value!r} and not a text")


def _texts(found: Mapping[str, object], key: str, source: str) -> tuple[str, ...]:
    value = found[key]
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise _wrong(source, key, f"is {value!r} and not a list of texts")


def _numbers(defaults: _T, value: object, source: str) -> _T:
    found = _mapping(value, source, {field.name for field in fields(defaults)})
    for key, number in found.items():
        whole = isinstance(getattr(defaults, key), int) and not isinstance(defaults, Times) and key != "rate"
        if isinstance(number, bool) or not isinstance(number, int if whole else (int, float)):
            raise _wrong(source, key, f"is {number!r} and not a {'whole ' if whole else ''}number")
    return replace(defaults, **cast("Mapping[str, float]", found))  # type: ignore[arg-type]
