"""A run's journal cannot have anything run that its drill and the inventory do not explain."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmqops.chaos import faults
from rmqops.chaos.mechanisms import deadman
from rmqops.chaos.mechanisms.plan import Aim
from rmqops.chaos.run import heal
from rmqops.chaos.run.environment import Environment
from rmqops.chaos.run.journal import DRILL, FILE
from rmqops.errors import ConnectFailed, RmqopsError
from rmqops.model.commands import Command
from rmqops.remoting.client import Client
from rmqops.transport.fake import FakeTransport
from tests.unit.chaos.run.test_heal import CLUSTER, FAULT, MINE, NAME, planned

HONEST = {key: value for key, value in asdict(planned()).items() if value}


def honest_commands() -> set[tuple[str, ...]]:
    """Return what a heal of any run of this drill may run for some instance."""
    return {
        command.argv
        for instance in CLUSTER.instances
        for kind in ("kill", "partition")
        for command in (
            faults.cure(kind, Aim(instance, CLUSTER, fault=FAULT)),
            deadman.armed(instance),
            deadman.disarm(instance, FAULT),
            deadman.find(FAULT),
        )
    }


class NoClient(Client):
    """A client that reaches nobody, and remembers nothing."""

    async def request(self, *_: object, **__: object) -> object:  # type: ignore[override]
        raise ConnectFailed("nobody is there")


def healed(lines: list[str]) -> tuple[list[tuple[str, ...]], str]:
    """Heal from a journal, and return every command that was run and what was said."""
    commands: list[Command] = []

    def answer(command: Command) -> tuple[int, str]:
        commands.append(command)
        return 0, ""

    environment = Environment(transports=lambda _: FakeTransport(answer), clients=NoClient)
    with tempfile.TemporaryDirectory() as parent:
        run = Path(parent) / NAME
        run.mkdir()
        (run / DRILL).write_text(MINE)
        (run / FILE).write_text("".join(f"{line}\n" for line in lines))
        try:
            said = "\n".join(str(item.error) for item in heal.heal(CLUSTER, run, environment))
        except RmqopsError as error:
            said = str(error)
    return [command.argv for command in commands], said


def lines(plan: Mapping[str, object]) -> list[str]:
    about = {key: plan.get(key) for key in ("fault", "kind", "instance") if key in plan}
    return [
        json.dumps(entry)
        for entry in (
            {"step": "run", "state": "intent", "note": "trial"},
            plan,
            {"step": "inject", "state": "done", **about},
        )
    ]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"command": ["touch", "/tmp/journal-ran"]}, "is not that of a fault kill"),
        ({"command": ["/bin/sh", "-c", "id", "rmqops"]}, "is not that of a fault kill"),
        ({"fault": "../../../../victim"}, "no fault of a run of drill mine"),
        ({"fault": f"{FAULT}/../x"}, "no fault of a run of drill mine"),
        ({"fault": f"{FAULT}\n"}, "no fault of a run of drill mine"),
        ({"fault": "20260101T000000Z-other-1-1"}, "no fault of a run of drill mine"),
        ({"kind": "wipe-store"}, "has no fault wipe-store on broker-a-1"),
        ({"kind": "../kill"}, "has no fault"),
        ({"instance": "namesrv-1"}, "has no fault kill on namesrv-1"),
        ({"instance": "broker-a-0"}, "is not that of a fault kill on broker-a-0"),
        ({"instance": "broker-gone-9"}, "has no instance broker-gone-9"),
        ({"machine": "elsewhere.example"}, "was on elsewhere.example then"),
        ({"fault": ["a"]}, "fault is not a text"),
        ({"command": "touch /tmp/x"}, "command is not a list of texts"),
        ({"command": [1]}, "command is not a list of texts"),
        ({"path": "/etc"}, "fields of an entry"),
    ],
)
def test_a_heal_plan_that_nothing_explains_is_not_followed(change: Mapping[str, object], why: str) -> None:
    commands, said = healed(lines({**HONEST, **change}))
    assert why in said
    assert not {argv for argv in commands if argv not in honest_commands()}
    assert ("touch", "/tmp/journal-ran") not in commands


def test_the_honest_plan_is_followed() -> None:
    commands, said = healed(lines(HONEST))
    assert planned().command in commands
    assert said == "None"


@pytest.mark.parametrize(
    "topic", ["orders", "rmqops-drill-", "rmqops-drill-x", f"rmqops-drill-{NAME}-1/../orders", "%RETRY%orders"]
)
def test_a_topic_of_somebody_else_is_not_deleted(topic: str) -> None:
    entries = [
        {"step": "run", "state": "intent", "note": "trial"},
        {"step": "topic", "state": "done", "note": topic},
    ]
    _, said = healed([json.dumps(entry) for entry in entries])
    assert "it was not deleted" in said


def test_a_line_of_brackets_is_no_entry() -> None:
    _, said = healed([*lines(HONEST), "[" * 100_000])
    assert "line 4 is no entry of a journal" in said


_texts = st.one_of(
    st.text(max_size=30),
    st.sampled_from([FAULT, f"{NAME}-2-1", "kill", "partition", "broker-a-0", "namesrv-1", "../x", "$(id)", "/"]),
)
_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), _texts),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)
_plans = st.fixed_dictionaries(
    {}, optional={key: st.one_of(st.just(value), _texts, _values) for key, value in HONEST.items()}
)


@settings(deadline=None)
@given(st.lists(_plans, max_size=3), st.integers(0, 400), st.binary(max_size=3))
def test_no_journal_has_anything_run_that_an_honest_one_would_not(
    plans: list[dict[str, object]], at: int, noise: bytes
) -> None:
    allowed = honest_commands() | {
        command.argv
        for instance in CLUSTER.instances
        for command in (
            faults.cure("partition", Aim(instance, CLUSTER, fault=f"{NAME}-2-1")),
            deadman.disarm(instance, f"{NAME}-2-1"),
            deadman.find(f"{NAME}-2-1"),
            faults.cure("kill", Aim(instance, CLUSTER, fault=f"{NAME}-2-1")),
        )
    }
    written = [line for plan in plans for line in lines({"step": "heal-plan", "state": "intent", **plan})]
    if written and noise:
        cut = at % len(written[-1])
        written[-1] = written[-1][:cut] + noise.decode("latin-1") + written[-1][cut:]
    commands, _ = healed(written)
    assert set(commands) <= allowed
