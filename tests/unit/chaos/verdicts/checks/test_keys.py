"""That the messages of one key lie in one queue."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.verdict import CheckResult, Verdict
from rmqops.model.history import Event
from tests.unit.chaos.verdicts.checks.recorded import judge

KEYS = 3


def judged(
    directory: Path, queues: list[int], *, keys: int = KEYS, struck: Event | None = None
) -> CheckResult | None:
    """Judge a history in which message n of two producers went to ``queues[n]``."""
    events = [struck] if struck else []
    offsets: dict[int, int] = {}
    for number, queue in enumerate(queues):
        for producer in (1, 2):
            offset = offsets[queue] = offsets.get(queue, -1) + 1
            name, key, t = f"producer-{producer}", f"p{producer}-{number:08d}", len(events) / 1000
            events += [
                Event(t, name, "send", "invoke", "drill", key=key),
                Event(t, name, "send", "ok", "drill", "a", queue, offset, key),
            ]
    return judge(events, directory, Bounds(keys=keys)).get("keys")


def test_each_key_has_a_queue(tmp_path: Path) -> None:
    found = judged(tmp_path, [0, 1, 0, 0, 1, 0])
    assert found is not None
    assert (found.verdict, found.summary) == (Verdict.PASS, "3 keys in 2 queues, each in one")
    assert found.numbers == {"keys": 3, "acknowledged": 12, "queues": 2, "keys_in_several_queues": 0}


def test_one_message_of_a_key_elsewhere_is_found(tmp_path: Path) -> None:
    found = judged(tmp_path, [0, 1, 0, 0, 0, 0])
    assert found is not None
    assert (found.verdict, found.numbers["keys_in_several_queues"]) == (Verdict.FAIL, 1)
    assert [item.note for item in found.evidence] == ["4 messages of key 1 of drill lie in a/0, a/1"]


@pytest.mark.parametrize(("broker", "expected"), [("a", Verdict.PASS), (None, Verdict.FAIL)])
def test_a_strike_on_a_broker_moves_keys_and_one_on_a_client_does_not(
    tmp_path: Path, broker: str | None, expected: Verdict
) -> None:
    struck = Event(0.0, "nemesis", "fault", "ok", broker=broker, key="kill", value={"instance": "x"})
    found = judged(tmp_path, [0, 1, 0, 0, 0, 0], struck=struck)
    assert found is not None
    assert (found.verdict, found.numbers["keys_in_several_queues"]) == (expected, 1)


def test_nothing_acknowledged_proves_nothing(tmp_path: Path) -> None:
    found = judged(tmp_path, [], struck=Event(0.0, "p", "send", "fail", "drill", key="p1-00000000"))
    assert found is not None
    assert found.verdict is Verdict.INCONCLUSIVE


def test_messages_with_keys_of_their_own_are_not_judged(tmp_path: Path) -> None:
    assert judged(tmp_path, [0, 1, 0], keys=0) is None
