"""Reading a history: torn ends, damaged middles, odd paths; and that nothing unjudged becomes a pass."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rmqops.chaos.history.lines import MalformedHistory, events
from rmqops.chaos.history.reader import open_history
from rmqops.chaos.verdicts import checks
from rmqops.chaos.verdicts.evaluate import evaluate
from rmqops.chaos.verdicts.verdict import CheckResult, Verdict
from rmqops.errors import UsageError
from rmqops.model.history import Event
from tests.unit.chaos.verdicts.checks.recorded import SMALL_RANGES, good, write

if TYPE_CHECKING:
    from rmqops.chaos.history.reader import History
    from rmqops.chaos.verdicts.bounds import Bounds


def test_events_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = write(good(), tmp_path)

    assert [event.line() for event in events(path)] == [event.line() for event in good()]


def test_small_ranges_are_settled_so_that_the_other_tests_use_them(tmp_path: Path) -> None:
    with open_history(write(good(), tmp_path), SMALL_RANGES) as history:
        assert history.number("select count(*) from settled") > 5
        assert 0 < history.number("select count(distinct k) from stored") < 150


def test_a_torn_last_line_is_left_out_and_told(tmp_path: Path) -> None:
    path = write(good(), tmp_path)
    whole = evaluate(path)
    with path.open("a") as file:
        file.write('{"t":1e9,"process":"nem')

    verdicts = evaluate(path)

    assert len(list(events(path))) == len(good())
    assert verdicts.notes == ("the last line was cut short and left out (23 bytes)",)
    assert (verdicts.overall, verdicts.counts) == (whole.overall, whole.counts)


def test_a_last_line_without_its_newline_counts(tmp_path: Path) -> None:
    path = write(good(), tmp_path)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))

    verdicts = evaluate(path)

    assert (verdicts.overall, verdicts.notes) == (Verdict.PASS, ())


DAMAGE = {
    "not JSON": "\x00\x00\x00",
    "a torn line in the middle": '{"t":1.0,"process":"a","op":"se{"t":1.0}',
    "not an object": "[1,2]",
    "no time": '{"t":null,"process":"a","op":"route","type":"ok"}',
    "no process": '{"t":1.0,"op":"route","type":"ok"}',
    "an unknown op": '{"t":1.0,"process":"a","op":"sent","type":"ok"}',
    "an unknown type": '{"t":1.0,"process":"a","op":"send","type":"OK","key":"k"}',
    "a send without its key": '{"t":1.0,"process":"a","op":"send","type":"invoke"}',
    "an acknowledgement without its place": '{"t":1.0,"process":"a","op":"send","type":"ok","key":"k"}',
    "an offset that is text": json.dumps(
        {"t": 1, "process": "c", "op": "receive", "type": "ok", "topic": "t", "broker": "b", "queue": 0,
         "offset": "x", "key": "k"}
    ),
    "an offset below zero": json.dumps(
        {"t": 1, "process": "c", "op": "receive", "type": "ok", "topic": "t", "broker": "b", "queue": 0,
         "offset": -1, "key": "k"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("line", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_line_is_named_and_nothing_is_proven(line: str, tmp_path: Path) -> None:
    path = write(good(), tmp_path)
    lines = path.read_text().splitlines()
    lines[99] = line
    path.write_text("\n".join(lines) + "\n")

    verdicts = evaluate(path)

    assert verdicts.overall is Verdict.INCONCLUSIVE
    assert [result.name for result in verdicts.results] == ["history"]
    assert f"{path}:100: " in verdicts.results[0].summary
    with pytest.raises(MalformedHistory, match=":100: "):
        list(events(path))


def test_a_damaged_history_does_not_hide_a_fault_that_was_not_healed(tmp_path: Path) -> None:
    unhealed = [event for event in good() if event.op != "heal"]
    path = write(unhealed, tmp_path)
    path.write_text("damaged\n" + path.read_text())

    verdicts = evaluate(path)

    assert (verdicts.overall, verdicts.heal_failed) == (Verdict.HEAL_FAILED, True)


@pytest.mark.parametrize("text", ["", '{"t":0.0,"proc'])
def test_a_history_without_one_event_is_inconclusive(text: str, tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text(text)

    assert evaluate(path).overall is Verdict.INCONCLUSIVE


def test_a_history_that_is_not_there_is_the_caller_s_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        evaluate(tmp_path / "history.jsonl")


def test_a_path_with_a_quote_and_a_pattern_is_a_path(tmp_path: Path) -> None:
    odd = tmp_path / "it's [1]*"
    odd.mkdir()

    assert evaluate(write(good(), odd)).overall is Verdict.PASS


def test_keys_may_be_any_text(tmp_path: Path) -> None:
    names = {event.key: f'"{event.key}",\n{{é\\' for event in good() if event.op in ("send", "receive")}
    renamed = [replace(event, key=names.get(event.key, event.key)) for event in good()]

    assert evaluate(write(renamed, tmp_path)).counts == evaluate(write(good(), tmp_path)).counts


def test_a_story_is_in_one_order_also_where_its_lines_share_a_moment(tmp_path: Path) -> None:
    sent = Event(1.0, "producer-1", "send", "invoke", "t", "b", 0, key="k")
    answers = [replace(sent, type="ok", offset=2), replace(sent, type="info"), replace(sent, type="fail")]
    reads = [Event(1.0, "consumer-1", "receive", "ok", "t", "b", 0, offset, "k") for offset in (1, 2, 10)]
    stories: list[list[Event]] = []
    for told in ([sent, *answers, *reads], [*reversed(reads), *reversed(answers), sent]):
        with open_history(write(told, tmp_path)) as history:
            stories += history.events_of(history.keys("select k from message")).values()

    assert stories[0] == stories[1]
    assert stories[0] == [sent, *reads, *(answers[number] for number in (2, 1, 0))]


def test_a_check_that_breaks_is_inconclusive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_history: History, _settings: Bounds) -> CheckResult:
        raise ZeroDivisionError("by zero")

    found = checks.discover()
    monkeypatch.setattr("rmqops.chaos.verdicts.evaluate.discover", lambda: {**found, "order": broken})

    verdicts = evaluate(write(good(), tmp_path))

    order = next(result for result in verdicts.results if result.name == "order")
    assert (order.verdict, verdicts.overall) == (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE)
    assert "ZeroDivisionError: by zero" in order.summary


def test_nothing_is_left_in_the_temporary_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))

    evaluate(write(good(), tmp_path))

    assert list(place.iterdir()) == []
