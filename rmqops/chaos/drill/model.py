"""What a drill says: its phases, their strikes, the load, the times, and the bounds of its verdict. PURE."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from rmqops.chaos import faults
from rmqops.chaos.drill import targets
from rmqops.chaos.load.settings import Load
from rmqops.chaos.mechanisms.plan import Options
from rmqops.errors import UsageError
from rmqops.model.strict import StrictModel

Allowance = Literal["majority", "last-nameserver", "several-groups"]
Expectation = Literal["service", "standstill", "reads", "anything"]
Order = Literal["given", "shuffled", "random"]
HINT = "compare it with a drill that ships: rmqops chaos show kill-master"

Text = Annotated[str, Field(min_length=1)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]


class Times(StrictModel):
    """Seconds: how long a phase lasts, or how long it may last."""

    before: Seconds = Field(default=5, description="Load before the first strike.")
    fail_over: Seconds = Field(default=60, description="At most this long until what the phase expects has come.")
    hold: Seconds = Field(default=5, description="Load with the faults still in force, after that.")
    recover: Seconds = Field(default=120, description="At most this long until the cluster is well again.")
    after: Seconds = Field(default=5, description="Load after the last recovery.")
    deadline: Seconds = Field(default=120, description="When hosts heal themselves, counted from the strike.")


class Strike(StrictModel):
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
        options = ", ".join(f"{name} {value}" for name, value in self.options.items())
        return f"{self.fault} {self.target}{f' ({options})' if options else ''}"


class Phase(StrictModel):
    """Faults that are in force together, until they are healed together."""

    strikes: tuple[Strike, ...] = Field(min_length=1, description="Put in force side by side.")
    expects: Expectation = Field(
        default="service",
        description="Before the heal: service must come back, nothing may be acknowledged, the struck group is "
        "only read while the others serve, or either is well.",
    )
    hold: Seconds | None = Field(default=None, description="Instead of the drill's.")
    fail_over: Seconds | None = Field(default=None, description="Instead of the drill's.")


class Schedule(StrictModel):
    """In what order phases come, and how often; what is left to chance is the seed's."""

    rounds: int = Field(default=1, ge=1, le=10_000, description="How often the list is gone through.")
    order: Order = Field(default="given", description="As given, shuffled, or one phase drawn a round.")
    pause: tuple[Seconds, Seconds] = Field(default=(0, 0), description="Between two phases: at least and at most.")

    @model_validator(mode="after")
    def _pause_is_a_range(self) -> Self:
        if self.pause[0] > self.pause[1]:
            raise ValueError("pause must not end before it begins")
        return self


class Abort(StrictModel):
    """When a drill is broken off, and everything healed; 0 is never."""

    failed: int = Field(default=0, ge=0, description="So many sends refused or indeterminate.")
    outage: Seconds = Field(default=0, description="So long without an acknowledgement.")
    other_groups: bool = Field(default=True, description="A group that was not struck loses its master.")


class Limits(StrictModel):
    """What the verdict must not let pass, besides what no drill may; 0 is measured and not judged."""

    rto: Seconds = Field(default=0, description="More seconds from a fault to the first sustained success.")
    uneven: float = Field(
        default=0, ge=0, le=100,
        description="More percent by which a group's share of the messages differs from an equal one.",
    )  # fmt: skip


class Drill(StrictModel):
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
        counts = {"producer": self.load.producers, "consumer": self.load.consumers}
        for phase in self.phases:
            clients = [(strike, targets.client(strike.target)) for strike in phase.strikes]
            for strike, (role, number) in ((strike, client) for strike, client in clients if client):
                if strike.fault != "kill":
                    raise ValueError(f"the fault {strike.fault} cannot strike a {role}: only kill can")
                if strike.options:
                    raise ValueError(f"kill takes no options where it strikes a {role}")
                if number is not None and not 1 <= number <= counts[role]:
                    raise ValueError(f"there is no {strike.target}: the load has {counts[role]}")
            for role, left in counts.items():
                dead = sum(client[0] == role for _, client in clients if client)
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
        plain = {name: _as_document(value) for name, value in parts.items()}
        return validated({**self.document(), **plain}, f"drill {self.name}")

    def document(self) -> dict[str, Any]:
        """Return what its YAML says, what is default left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def yaml(self) -> str:
        """Return its YAML, what is default left out."""
        import yaml

        return str(yaml.safe_dump(self.document(), sort_keys=False, allow_unicode=True, width=110))


def validated(document: Mapping[str, object], source: str) -> Drill:
    """Return the drill of a document that was read from ``source``.

    Raises:
        UsageError: it is not a drill; names the source and every key that is wrong.
    """
    try:
        drill = Drill.model_validate_json(json.dumps(document, default=str))
    except ValidationError as error:
        problems = [_problem_text(problem) for problem in error.errors(include_url=False)]
        raise UsageError(
            f"{source}: {problems[0]}", detail="\n".join(problems[1:]) or None, remedy=HINT
        ) from error
    for number, strike in enumerate(drill.strikes, 1):
        try:
            _ = strike.chosen
        except UsageError as error:
            raise UsageError(f"{source}: strike {number}: {error.message}", remedy=error.remedy) from error
    return drill


def _problem_text(problem: Mapping[str, Any]) -> str:
    """Say one problem of pydantic's in our words: where, what, and what was found."""
    where = ".".join(str(part) for part in problem["loc"]) or "the whole"
    if problem["type"] == "extra_forbidden":
        return f"{where} is not known"
    if problem["type"] == "missing":
        return f"{where} is missing"
    what = problem["msg"].removeprefix("Value error, ")
    return what if problem["type"] == "value_error" else f"{where} is {problem['input']!r}: {what}"


def _as_document(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    return [_as_document(item) for item in value] if isinstance(value, list | tuple) else value
