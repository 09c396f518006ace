"""What a drill is, and how its YAML file is read: strictly, so that a slip of the pen is never a default."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rmqops.chaos import faults, shipped, targets
from rmqops.chaos.faults import Options
from rmqops.chaos.workload.settings import Choice
from rmqops.errors import UsageError

Allowance = Literal["majority", "last-nameserver", "several-groups"]
Expectation = Literal["service", "standstill", "reads", "anything"]
Order = Literal["given", "shuffled", "random"]
DriverName = Literal["native", "java"]
Whereabouts = Literal["controller", "clients"]

_SUFFIXES = (".yml", ".yaml")
_LARGEST = 1 << 20
"""Bytes of a drill's file; more is something else."""
_HINT = "compare it with a drill that ships: rmqops chaos show kill-master"

Text = Annotated[str, Field(min_length=1)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, populate_by_name=True)


class JavaClient(_Part):
    """Settings of the official Java client by its own names; the defaults are its own."""

    poll: int = Field(
        default=30_000, ge=100, le=3_600_000, alias="pollNameServerInterval",
        description="Milliseconds between two looks at the route.",
    )  # fmt: skip
    heartbeat: int = Field(
        default=30_000, ge=100, le=3_600_000, alias="heartbeatBrokerInterval",
        description="Milliseconds between two heartbeats to the brokers.",
    )  # fmt: skip
    timeout: int = Field(
        default=3000, ge=10, le=20_000, alias="sendMsgTimeout",
        description="Milliseconds for a send, all its attempts together.",
    )  # fmt: skip
    retries: int = Field(
        default=2, ge=0, le=100, alias="retryTimesWhenSendFailed",
        description="How often the client sends again by itself.",
    )  # fmt: skip


class Load(_Part):
    """What sends and receives while the drill runs."""

    driver: DriverName = Field(
        default="native", description="Our own client, or the release's official Java client."
    )
    client: JavaClient = Field(default=JavaClient(), description="Settings of the driver java.")
    where: Whereabouts = Field(
        default="controller",
        description="Where its processes run: on this machine, or by turns on the hosts of the group clients.",
    )
    choice: Choice = Field(default="round-robin", description="Which queue a message goes to.")
    keys: int = Field(
        default=0, ge=0, le=1_000_000,
        description="Keys that messages have by turns, for choice by-key; 0 gives each message one of its own.",
    )  # fmt: skip
    producers: int = Field(default=2, ge=1, le=1000, description="Processes that send.")
    consumers: int = Field(
        default=1, ge=1, le=1000,
        description="Processes that receive: each native one reads every queue, java ones share them as a group.",
    )  # fmt: skip
    from_slaves: int = Field(
        default=0, ge=0, le=1000, description="So many of the consumers, the last ones, read from slaves; native."
    )
    rate: float = Field(
        default=100, ge=0, le=100_000, description="Messages per second and producer; 0 for as fast as it can."
    )
    in_flight: int = Field(
        default=16, ge=1, le=1000, description="Sends of a producer that are under way at once, at rate 0."
    )
    size: int = Field(default=128, ge=32, le=4_000_000, description="Bytes of a body, which begins with its key.")
    topics: int = Field(default=1, ge=1, le=64, description="Topics; the processes are spread over them by turns.")
    groups: int = Field(
        default=1, ge=1, le=64, description="Consumer groups on each topic, each of which reads all of it; java."
    )
    queues: int = Field(default=4, ge=1, le=1024, description="Queues of each topic on each broker group.")

    @model_validator(mode="after")
    def _client_is_javas(self) -> Self:
        if self.driver != "java" and self.client != JavaClient():
            raise ValueError("client has settings of the driver java, so say driver: java")
        return self

    @model_validator(mode="after")
    def _keys_choose(self) -> Self:
        if self.keys and self.choice != "by-key":
            raise ValueError("keys say which queue a message goes to, so say choice: by-key")
        return self

    @model_validator(mode="after")
    def _slaves_are_read_by_our_own(self) -> Self:
        if self.from_slaves and self.driver == "java":
            raise ValueError("from_slaves are of the driver native; the official client reads whom a broker names")
        if self.from_slaves > self.consumers:
            raise ValueError(f"from_slaves: {self.from_slaves} are more than consumers: {self.consumers}")
        return self

    @model_validator(mode="after")
    def _nobody_is_left_out(self) -> Self:
        if self.groups > 1 and self.driver != "java":
            raise ValueError("groups are of the driver java; each native consumer reads everything anyway")
        if self.producers < self.topics:
            raise ValueError(f"producers: {self.producers} are too few for topics: {self.topics}; each needs one")
        if self.consumers < self.topics * self.groups:
            what = f"topics: {self.topics} with groups: {self.groups} each"
            raise ValueError(f"consumers: {self.consumers} are too few for {what}; each group needs one")
        return self


class Times(_Part):
    """Seconds: how long a phase lasts, or how long it may last."""

    before: Seconds = Field(default=5, description="Load before the first strike.")
    fail_over: Seconds = Field(default=60, description="At most this long until what the phase expects has come.")
    hold: Seconds = Field(default=5, description="Load with the faults still in force, after that.")
    recover: Seconds = Field(default=120, description="At most this long until the cluster is well again.")
    after: Seconds = Field(default=5, description="Load after the last recovery.")
    deadline: Seconds = Field(default=120, description="When hosts heal themselves, counted from the strike.")


class Strike(_Part):
    """One fault, and whom it strikes."""

    fault: Text = Field(description="A fault of `rmqops chaos list`.")
    target: Text = Field(
        description="master, slave, one, minority, majority, all, namesrv[-majority|-all], producer, consumer, "
        "or names."
    )
    options: dict[str, float | str] = Field(default={}, alias="with", description="The fault's own options.")

    @property
    def chosen(self) -> Options:
        """The fault's options with their defaults."""
        return faults.options(self.fault, self.options)

    @property
    def words(self) -> str:
        """The strike in a few words, as a drill's log tells it."""
        told = ", ".join(f"{name} {value}" for name, value in self.options.items())
        return f"{self.fault} {self.target}{f' ({told})' if told else ''}"


class Phase(_Part):
    """Faults that are in force together, until they are healed together."""

    strikes: tuple[Strike, ...] = Field(min_length=1, description="Put in force side by side.")
    expects: Expectation = Field(
        default="service",
        description="Before the heal: service must come back, nothing may be acknowledged, the struck group is "
        "only read while the others serve, or either is well.",
    )
    hold: Seconds | None = Field(default=None, description="Instead of the drill's.")
    fail_over: Seconds | None = Field(default=None, description="Instead of the drill's.")


class Schedule(_Part):
    """In what order phases come, and how often; what is left to chance is the seed's."""

    rounds: int = Field(default=1, ge=1, le=10_000, description="How often the list is gone through.")
    order: Order = Field(default="given", description="As given, shuffled, or one phase drawn a round.")
    pause: tuple[Seconds, Seconds] = Field(default=(0, 0), description="Between two phases: at least and at most.")

    @model_validator(mode="after")
    def _pause_is_a_range(self) -> Self:
        if self.pause[0] > self.pause[1]:
            raise ValueError("pause must not end before it begins")
        return self


class Abort(_Part):
    """When a drill is broken off, and everything healed; 0 is never."""

    failed: int = Field(default=0, ge=0, description="So many sends refused or indeterminate.")
    outage: Seconds = Field(default=0, description="So long without an acknowledgement.")
    other_groups: bool = Field(default=True, description="A group that was not struck loses its master.")


class Limits(_Part):
    """What the verdict must not let pass, besides what no drill may; 0 is measured and not judged."""

    rto: Seconds = Field(default=0, description="More seconds from a fault to the first sustained success.")
    uneven: float = Field(
        default=0, ge=0, le=100,
        description="More percent by which a group's share of the messages differs from an equal one.",
    )  # fmt: skip


class Drill(_Part):
    """A named chaos scenario, as data."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
    description: Text
    proves: tuple[Text, ...] = Field(min_length=1)
    does_not_prove: tuple[Text, ...] = Field(min_length=1)
    phases: tuple[Phase, ...] = Field(min_length=1)
    load: Load = Load()
    times: Times = Times()
    schedule: Schedule = Schedule()
    abort: Abort = Abort()
    limits: Limits = Limits()
    allows: tuple[Allowance, ...] = Field(default=(), description="What the guard lets pass.")

    @model_validator(mode="after")
    def _numbers_fit(self) -> Self:
        for phase in self.phases:
            hold = self.times.hold if phase.hold is None else phase.hold
            if self.times.deadline < hold + 10:
                raise ValueError(
                    f"times.deadline of {self.times.deadline:g} s leaves less than 10 s besides {hold:g} s of hold"
                )
        return self

    @model_validator(mode="after")
    def _clients_may_die(self) -> Self:
        """A process of the load can be killed, if there is one, and if another one goes on sending."""
        there = {"producer": self.load.producers, "consumer": self.load.consumers}
        for phase in self.phases:
            met = [(strike, targets.client(strike.target)) for strike in phase.strikes]
            for strike, (role, number) in ((strike, found) for strike, found in met if found):
                if strike.fault != "kill":
                    raise ValueError(f"the fault {strike.fault} cannot strike a {role}: only kill can")
                if strike.options:
                    raise ValueError(f"kill takes no options where it strikes a {role}")
                if number is not None and not 1 <= number <= there[role]:
                    raise ValueError(f"there is no {strike.target}: the load has {there[role]}")
            for role, left in there.items():
                dead = sum(found[0] == role for _, found in met if found)
                if dead > left - (role == "producer"):
                    raise ValueError(
                        f"a phase kills {dead} of the load's {left} {role}s"
                        + ("; one at least must go on sending" if role == "producer" else "")
                    )
        return self

    @property
    def strikes(self) -> Iterator[Strike]:
        """Every strike of every phase."""
        return (strike for phase in self.phases for strike in phase.strikes)

    def changed(self, **parts: object) -> Drill:
        """Return the drill with other parts, such as ``load=Load(rate=5)``, read as strictly.

        Raises:
            UsageError: they do not make sense together.
        """
        plain = {name: _plain(value) for name, value in parts.items()}
        return _validated({**self.document(), **plain}, f"drill {self.name}")

    def document(self) -> dict[str, Any]:
        """Return what its YAML says, what is default left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def yaml(self) -> str:
        """Return its YAML, what is default left out."""
        import yaml

        return str(yaml.safe_dump(self.document(), sort_keys=False, allow_unicode=True, width=110))


@dataclass(frozen=True)
class Step:
    """One phase of a schedule."""

    number: int
    """From 1 on."""
    phase: Phase
    pause: float
    """Seconds of load before it, besides what the drill says of the first."""
    seed: str
    """Decides who is struck, where the target leaves a choice."""


def scheduled(drill: Drill, seed: int) -> tuple[Step, ...]:
    """Return the phases in their order; the same seed gives the same schedule."""
    chance = random.Random(seed)
    phases: list[Phase] = []
    for _ in range(drill.schedule.rounds):
        if drill.schedule.order == "random":
            phases.append(chance.choice(drill.phases))
        elif drill.schedule.order == "shuffled":
            phases += chance.sample(drill.phases, len(drill.phases))
        else:
            phases += drill.phases
    pauses = [0.0, *(round(chance.uniform(*drill.schedule.pause), 3) for _ in phases[1:])]
    return tuple(
        Step(number, phase, pause, f"{seed}-{number}")
        for number, (phase, pause) in enumerate(zip(phases, pauses, strict=True), 1)
    )


def names() -> tuple[str, ...]:
    """Return the name of every drill that rmqops ships."""
    return shipped.names("drills")


def text(name: str) -> tuple[str, str]:
    """Return the YAML of a drill and where it lies; a name is one that ships, a path is somebody's own.

    Raises:
        UsageError: there is none.
    """
    if name in names():
        return shipped.text("drills", name), f"{name}.yml"
    path = Path(name)
    if path.suffix not in _SUFFIXES:
        raise UsageError(
            f"there is no drill {name!r}", remedy=f"use one of {', '.join(names())}, or the path of a .yml file"
        )
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise UsageError(f"{path} is larger than {_LARGEST} bytes, so it is no drill", remedy=_HINT)
        return content.decode("utf-8"), str(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", remedy="name a file that exists") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8: {error.reason}", remedy=_HINT) from error


@cache
def find(name: str) -> Drill:
    """Return the drill of a name, or of a file.

    Raises:
        UsageError: there is none, or it is none.
    """
    return parse(*text(name))


def parse(content: str, source: str) -> Drill:
    """Read a drill.

    Args:
        content: The YAML.
        source: The file's name, for messages.

    Raises:
        UsageError: it is not a drill; names the file and every key that is wrong.
    """
    import yaml

    try:
        document = yaml.safe_load(content)
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"{source} is not YAML: {error}", remedy=_HINT) from error
    if not isinstance(document, dict):
        raise UsageError(f"{source} is not a mapping with the keys of a drill", remedy=_HINT)
    return _validated(document, source)


def schema() -> dict[str, Any]:
    """Return the JSON schema of a drill's file, with the options of each fault; editors complete from it."""
    document = Drill.model_json_schema(by_alias=True)
    strike = document["$defs"]["Strike"]
    strike["properties"]["fault"]["enum"] = list(faults.kinds())
    strike["allOf"] = [
        {
            "if": {"properties": {"fault": {"const": kind}}, "required": ["fault"]},
            "then": {
                "properties": {
                    "with": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {
                            name: option.schema() for name, option in faults.find(kind).OPTIONS.items()
                        },
                    }
                }
            },
        }
        for kind in faults.kinds()
    ]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}


def _validated(document: Mapping[str, object], source: str) -> Drill:
    try:
        found = Drill.model_validate_json(json.dumps(document, default=str))
    except ValidationError as error:
        told = [_told(problem) for problem in error.errors(include_url=False)]
        raise UsageError(f"{source}: {told[0]}", detail="\n".join(told[1:]) or None, remedy=_HINT) from error
    for number, strike in enumerate(found.strikes, 1):
        try:
            _ = strike.chosen
        except UsageError as error:
            raise UsageError(f"{source}: strike {number}: {error.message}", remedy=error.remedy) from error
    return found


def _told(problem: Mapping[str, Any]) -> str:
    """Say one problem of pydantic's in our words: where, what, and what was found."""
    where = ".".join(str(part) for part in problem["loc"]) or "the whole"
    if problem["type"] == "extra_forbidden":
        return f"{where} is not known"
    if problem["type"] == "missing":
        return f"{where} is missing"
    what = problem["msg"].removeprefix("Value error, ")
    return what if problem["type"] == "value_error" else f"{where} is {problem['input']!r}: {what}"


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
