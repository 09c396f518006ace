"""What a drain read comes many messages to a line: the checks find the same as with one message to a line."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings

from rmqops.chaos.history.batches import BATCH, Batch, pack
from rmqops.chaos.history.lines import MalformedHistory, events, parse_line
from rmqops.chaos.history.reader import open_history
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.checks import discover
from rmqops.chaos.verdicts.verdict import CheckResult, Verdict
from rmqops.model.history import Event
from tests.unit.chaos.verdicts.checks.recorded import SMALL_RANGES, acknowledged, good, judge, write
from tests.unit.chaos.verdicts.checks.test_reference import damaged

READ: dict[str, object] = {
    "t": 1, "process": "drain-x", "op": "receive", "type": "ok",
    "topic": "t", "broker": "b", "queue": 0, "offset": 0,
}  # fmt: skip
DAMAGE: dict[str, dict[str, object]] = {
    "no key at all": {"keys": []},
    "a key that is null": {"keys": ["a", None]},
    "keys that are no list": {"keys": 1},
    "a key beside the keys": {"keys": ["a"], "key": "a"},
    "keys of a consumer": {"keys": ["a"], "process": "consumer-1"},
    "keys of a send": {"keys": ["a"], "op": "send"},
    "keys of a drain that gave up": {"keys": ["a"], "type": "fail"},
    "keys without a place": {"keys": ["a"], "offset": None},
    "keys beyond the last offset": {"keys": ["a", "b"], "offset": (1 << 32) - 1},
}


def write_packed(wanted: Iterable[Event], directory: Path) -> Path:
    path = directory / "history.jsonl"
    path.write_text("".join(record.record() + "\n" for record in pack(wanted)), encoding="utf-8")
    return path


def judge_packed(wanted: Iterable[Event], directory: Path) -> dict[str, CheckResult]:
    with open_history(write_packed(wanted, directory), SMALL_RANGES) as history:
        results = {name: check(history, Bounds()) for name, check in discover().items()}
    return {name: result for name, result in results.items() if result is not None}


def test_packing_loses_nothing(tmp_path: Path) -> None:
    path = write_packed(good(), tmp_path)

    assert list(events(path)) == list(events(write(good(), tmp_path)))
    assert any(isinstance(record, Batch) and len(record.keys) == BATCH for record in pack(good()))


def test_the_lines_that_are_shown_have_every_field(tmp_path: Path) -> None:
    shown = [event.line() for event in events(write_packed(good(), tmp_path))]

    assert [parse_line(line) for line in shown] == list(events(write(good(), tmp_path)))
    assert all({"topic", "broker", "queue", "offset", "key", "error"} <= json.loads(line).keys() for line in shown)


def test_a_gap_begins_a_new_line() -> None:
    reads = [Event(1.0, "drain-x", "receive", "ok", "t", "b", 0, offset, f"k{offset}") for offset in (0, 1, 3, 4)]

    packed = list(pack(reads))

    assert [(one.first.offset, one.keys) for one in packed if isinstance(one, Batch)] == [
        (0, ["k0", "k1"]),
        (3, ["k3", "k4"]),
    ]


@settings(max_examples=15, deadline=None, phases=[Phase.generate])
@given(damaged())
def test_the_checks_find_the_same(wanted: list[Event]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        packed, plain = judge_packed(wanted, Path(directory)), judge(wanted, Path(directory))
    assert [name for name in plain if packed[name] != plain[name]] == []


@pytest.mark.parametrize("form", [judge, judge_packed])
@pytest.mark.parametrize("places", [*combinations([(0, 27), (0, 44), (1, 54), (1, 89)], 2)], ids=str)
def test_the_places_of_one_message_are_told_in_order(
    form: Callable[..., dict[str, CheckResult]], places: tuple[tuple[int, int], ...], tmp_path: Path
) -> None:
    sent = next(event for event in acknowledged(good(2)) if (event.queue, event.offset) == (1, 8))
    wanted = [
        replace(event, type="info", offset=None)
        if event == sent
        else replace(event, key=sent.key)
        if event.process == "drain-broker-a-n2" and event.type == "ok" and (event.queue, event.offset) in places
        else event
        for event in good(2)
    ]

    item = next(item for item in form(wanted, tmp_path)["recovered"].evidence if item.key == sent.key)

    assert item.found == (
        "drain-broker-a-n0 at broker-a/1@8",
        "drain-broker-a-n1 at broker-a/1@8",
        *(f"drain-broker-a-n2 at broker-a/{queue}@{offset}" for queue, offset in sorted([(1, 8), *places])),
    )
    assert (item.queue, item.offset) == (1, 8)


@pytest.mark.parametrize("fields", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_batch_is_named_and_nothing_is_proven(fields: dict[str, object], tmp_path: Path) -> None:
    path = write_packed(good(), tmp_path)
    lines = path.read_text().splitlines()
    lines[99] = json.dumps({**READ, **fields})
    path.write_text("\n".join(lines) + "\n")

    with pytest.raises(MalformedHistory, match=":100: "):
        list(events(path))
    with pytest.raises(MalformedHistory, match=":100: "), open_history(path):
        pass


def test_a_torn_batch_at_the_end_is_left_out_and_told(tmp_path: Path) -> None:
    path = write_packed(good(), tmp_path)
    path.write_bytes(path.read_bytes()[:-20])

    with open_history(path, SMALL_RANGES) as history:
        replicas = discover()["replicas"](history, Bounds())
        assert replicas is not None

    assert history.notes[0].startswith("the last line was cut short")
    assert replicas.verdict is not Verdict.PASS
