"""The timeline of a report: bins, lanes and moments."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest

from rmqops.chaos.history import run_record
from rmqops.chaos.history.fault_records import FaultRecord
from rmqops.chaos.history.run_record import Subscription
from rmqops.chaos.report import lanes
from rmqops.chaos.report.lag import BIN_LIMIT as LAG_BINS
from rmqops.chaos.report.lag import READER_LIMIT
from rmqops.chaos.report.moments import moments
from rmqops.chaos.report.outcomes import ByPeriod
from rmqops.chaos.report.timeline import BIN_LIMIT, ERROR_LIMIT, Timeline, read_timeline, widths
from rmqops.chaos.verdicts.verdict import Verdict
from rmqops.errors import UsageError
from rmqops.model.history import Event
from tests.support.drill import (
    ADDRESSES,
    END,
    FAULT,
    NAMESERVERS,
    NEW_MASTER,
    PER_SECOND,
    history,
    result,
    write_run,
)

FULL = {"0": "a:1", "2": "b:1"}
WITHOUT = {"2": "b:1"}


def timeline(directory: Path, told: list[Event] | None = None) -> Timeline:
    return read_timeline(write_run(directory / "run", result(Verdict.PASS), told))


def test_every_level_counts_every_send(tmp_path: Path) -> None:
    drawn = timeline(tmp_path, [*history(), Event(12.0, "consumer-1", "receive", "fail", error="time-out")])
    sends = int(END * PER_SECOND)
    bad = int((NEW_MASTER - FAULT) * PER_SECOND)
    assert [level.width for level in drawn.levels] == [0.05, 0.1, 0.2]
    for level in drawn.levels:
        assert (sum(level.ok), sum(level.fail), sum(level.info)) == (sends - bad, bad - 4, 4)
        assert sum(level.read) == sends - bad
        assert len(level.ok) == len(level.max) == int(drawn.end / level.width) + 1


def test_a_send_counts_where_it_ended_and_latency_is_that_of_acknowledged_sends(tmp_path: Path) -> None:
    shaken = random.Random(3)
    times = [shaken.random() * 2 for _ in range(500)]
    told = []
    for number, took in enumerate(times):
        sent = Event(1.0, "producer-1", "send", "invoke", key=f"k{number}")
        told += [sent, replace(sent, t=1.0 + took, type="ok")]
    told += [Event(1.0, "p", "send", "invoke", key="x"), Event(90.0, "p", "send", "info", key="x")]
    level = timeline(tmp_path, told).levels[-1]
    assert level.width == 2
    wanted = [took for took in times if 1 <= 1 + took < 2]
    assert level.ok[0] == len(wanted)
    assert level.p50[0] == pytest.approx(median(wanted) * 1000, rel=0.01)
    assert level.max[0] == pytest.approx(max(wanted) * 1000, rel=0.01)
    assert level.info[45] == 1
    assert level.max[45] is None, "an indeterminate send has no latency to show"


def test_the_read_back_is_not_drawn_but_names_the_members(tmp_path: Path) -> None:
    drawn = timeline(tmp_path)
    assert drawn.end == pytest.approx(END, abs=0.1)
    assert drawn.names == dict(zip(ADDRESSES, ["broker-a-n0", "broker-a-n1", "broker-a-n2"], strict=True))


def test_each_nameserver_has_its_own_lane(tmp_path: Path) -> None:
    told = [event for event in history() if not (event.process == "namesrv-2" and event.t >= NEW_MASTER)]
    told += [
        Event(at, "namesrv-2", "route", "fail", error="no answer in 1 s") for at in (NEW_MASTER, NEW_MASTER + 1)
    ]
    (group,) = timeline(tmp_path, told).groups
    assert group.addresses == ADDRESSES
    assert [lane.nameserver for lane in group.lanes] == list(NAMESERVERS)
    states = {lane.nameserver: [segment.state for segment in lane.segments] for lane in group.lanes}
    assert states == {
        "namesrv-1": ["mss", "ass", "sms"],
        "namesrv-2": ["mss", "ass", "?"],
        "namesrv-3": states["namesrv-1"],
    }
    assert group.lanes[0].segments[1].start == pytest.approx(FAULT + 0.05)
    assert group.lanes[0].segments[2].end == pytest.approx(END, abs=0.1), "the last answer holds to the end"
    assert group.lanes[1].segments[2].end == NEW_MASTER + 1, "an answer too old is no answer"


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", result(Verdict.PASS))
    whole = read_timeline(run)
    with (run / "history.jsonl").open("a") as file:
        file.write('{"t":20.5,"process":"producer-1","op":"send","ty')
    assert read_timeline(run) == whole


def test_an_empty_history_is_drawn_as_nothing(tmp_path: Path) -> None:
    drawn = timeline(tmp_path, [])
    assert drawn.end == 0
    assert sum(drawn.levels[0].ok) == 0
    assert drawn.groups == ()


def test_a_run_without_history_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"history\.jsonl does not exist"):
        read_timeline(tmp_path)


def test_reasons_are_counted(tmp_path: Path) -> None:
    first, second = timeline(tmp_path).errors
    assert (first.type, first.example, first.sends.total) == ("fail", "no master in the route", 96)
    assert (second.type, second.example, second.sends.total) == ("info", "connection lost", 4)
    assert first.first > second.first


def test_texts_that_differ_in_digits_are_one_reason_and_none_is_left_out_in_silence(tmp_path: Path) -> None:
    told = []
    for number in range(40):
        sent = Event(number, "p", "send", "invoke", key=f"k{number}")
        refusal = f"busy for {200 + number} ms at 10.0.0.{number % 3}:10911" if number < 20 else "x" * number
        told += [sent, replace(sent, t=number + 0.5, type="fail", error=refusal)]
    drawn = timeline(tmp_path, told)
    first = drawn.errors[0]
    assert (first.example, first.texts, first.sends.total) == ("busy for 200 ms at 10.0.0.0:10911", 20, 20)
    assert (len(drawn.errors), drawn.errors_left_out) == (21, (0, 0))


def test_reasons_beyond_the_table_are_counted(tmp_path: Path) -> None:
    told = []
    for number in range(ERROR_LIMIT + 5):
        sent = Event(number, "p", "send", "invoke", key=f"k{number}")
        told += [sent, replace(sent, t=number + 0.5, type="fail", error="x" * (number + 1))]
    drawn = timeline(tmp_path, told)
    assert (len(drawn.errors), drawn.errors_left_out) == (ERROR_LIMIT, (5, 5))


def test_sends_are_told_by_what_was_in_force_when_they_ended(tmp_path: Path) -> None:
    told = []
    for number in range(10):
        sent = Event(number, "p", "send", "invoke", key=f"k{number}")
        told += [sent, replace(sent, t=number + 0.5, type="fail", error="no")]
    faults = [
        FaultRecord("kill", "master", injected_at=2.0, healed_at=4.0),
        FaultRecord("pause", "slave", injected_at=3.0, healed_at=5.0),
        FaultRecord("kill", "all", injected_at=8.0),
        FaultRecord("kill", "never"),
    ]
    run = write_run(tmp_path / "run", result(Verdict.PASS), told)
    drawn = read_timeline(run, faults)
    assert drawn.sends == {"fail": ByPeriod(before=2, during=5, after=3)}
    assert drawn.errors[0].sends == ByPeriod(before=2, during=5, after=3)
    assert read_timeline(run).sends == {"fail": ByPeriod(before=10)}


def test_what_is_written_after_the_drill_is_not_on_the_axis(tmp_path: Path) -> None:
    late = [
        Event(END + 9, "broker-a-n0", "leader", "ok", broker="broker-a", value={"term": "3"}),
        Event(END + 9, "rmqops", "run", "ok"),
    ]
    assert timeline(tmp_path / "with", [*history(), *late]).end == timeline(tmp_path / "without").end


def test_lines_of_one_moment_are_told_in_one_order(tmp_path: Path) -> None:
    faults = [
        Event(5.0, "nemesis", "fault", "invoke", key=kind, value={"instance": name, "address": "a:1"})
        for kind, name in (("pause", "n2"), ("kill", "n2"), ("kill", "n1"))
    ]
    sends = [Event(1.0, "p", "send", "invoke", key=f"k{number}") for number in range(6)]
    answers = [
        replace(sent, t=2.0, type="fail", error=f"reason {reason}")
        for sent, reason in zip(sends, "aabbcc", strict=True)
    ]
    again = replace(answers[0], error="reason d")
    routes = [Event(3.0, "namesrv-1", "route", "ok", broker="b", value=value) for value in (WITHOUT, FULL)]
    told = [*sends, *answers, again, *routes, *faults]

    drawn = timeline(tmp_path, told)

    assert drawn == timeline(tmp_path, told[::-1])
    assert [f"{one.kind} {one.instance}" for one in drawn.milestones] == ["kill n1", "kill n2", "pause n2"]
    assert [one.example for one in drawn.errors] == ["reason b", "reason c", "reason a", "reason d"]
    assert drawn.names == {"a:1": "n1"}


@pytest.mark.parametrize("end", [0.0, 0.01, 3.0, 60.0, 277.0, 3600.0, 90_000.0, 5e6, 1e9])
def test_bins_are_bounded_however_long_the_drill(end: float) -> None:
    chosen = widths(end)
    assert chosen == tuple(sorted(chosen))
    assert chosen
    assert all(end / width <= BIN_LIMIT for width in chosen)


def test_samples_join_while_the_answer_stays() -> None:
    samples = [(0.0, FULL), (1.0, dict(FULL)), (1.5, WITHOUT), (2.0, None), (2.5, FULL)]
    joined = lanes.answers(samples)
    assert [(each.start, each.end, each.route) for each in joined] == [
        (0.0, 1.5, FULL),
        (1.5, 2.0, WITHOUT),
        (2.0, 2.5, None),
        (2.5, 2.5, FULL),
    ]


def test_time_that_was_not_sampled_is_left_open() -> None:
    joined = lanes.answers([(0.0, FULL), (1.0, FULL), (9.0, FULL)])
    assert [(each.start, each.end) for each in joined] == [(0.0, 1.0), (9.0, 9.0)]


def test_members_are_ordered_by_port_not_by_letter() -> None:
    told = {"n": lanes.answers([(0.0, {"0": "h:9911", "1": "h:10911"})])}
    group = lanes.group("g", told, 1.0)
    assert group.addresses == ("h:9911", "h:10911")
    assert group.lanes[0].segments == (lanes.Segment(0.0, 1.0, "ms"),)


def test_a_lane_that_flaps_is_bounded_and_shows_the_worst() -> None:
    samples = [(number / 100, FULL if number % 2 else WITHOUT) for number in range(20_000)]
    (lane,) = lanes.group("g", {"n": lanes.answers(samples)}, 200.0).lanes
    assert len(lane.segments) <= lanes.SEGMENT_LIMIT
    assert {segment.state for segment in lane.segments} == {"as"}
    assert lane.segments[-1].end == 200.0


def test_moments_tell_the_drill_and_every_change_of_a_route(tmp_path: Path) -> None:
    told = moments(timeline(tmp_path))
    assert [moment.t for moment in told] == sorted(moment.t for moment in told)
    said = [(moment.who, moment.what) for moment in told]
    assert ("the drill", "kill broker-a-n0: seen to bite") in said
    assert ("the drill", "the cluster is healthy again") in said
    without = "broker-a: no master; slaves broker-a-n1, broker-a-n2; absent broker-a-n0"
    assert [who for who, what in said if what == without] == list(NAMESERVERS)


def behind(directory: Path, told: list[Event]) -> dict[str, list[int | None]]:
    """Return how far behind each reader was at the end of each second."""
    drawn = timeline(directory, [*told, Event(59.0, "producer-1", "send", "invoke", key="the end")]).lag
    each = round(1 / drawn.width)
    return {curve.reader: list(curve.messages[each - 1 :: each]) for curve in drawn.curves}


def acknowledged(t: float, offset: int, queue: int = 0) -> Event:
    return Event(t, "producer-1", "send", "ok", "drill", "broker-a", queue, offset, f"{queue}-{offset}")


def read(t: float, name: str, offset: int, queue: int = 0) -> Event:
    return replace(acknowledged(t, offset, queue), process=name, op="receive")


def test_who_reads_is_behind_by_what_was_acknowledged_and_not_read(tmp_path: Path) -> None:
    told = [acknowledged(0.5, 0), acknowledged(1.5, 1), acknowledged(1.5, 0, 1), read(2.5, "consumer-1", 0)]
    told += [read(3.5, "consumer-2", 1), read(4.5, "consumer-1", 0), read(5.5, "consumer-1", 0, 1)]

    (messages,) = behind(tmp_path, told).values()

    assert messages[:7] == [1, 3, 2, 1, 1, 0, 0], "reading again what was read puts nobody further behind"


def test_members_of_a_group_are_behind_together_and_others_alone(tmp_path: Path) -> None:
    told = [acknowledged(0.5, number) for number in range(4)]
    told += [read(1.5, "consumer-1", 0), read(2.5, "consumer-2.3", 3), read(1.5, "consumer-3", 1)]
    shared = dict.fromkeys(("consumer-1", "consumer-2"), Subscription("drill", "group"))
    alone = {"consumer-3": Subscription("drill", None), "consumer-4": Subscription("other", None)}

    found = behind(tmp_path, [run_record.begin(0.0, {}, (), {**shared, **alone}), *told])

    assert {name: messages[:4] for name, messages in found.items()} == {
        "group": [4, 3, 0, 0],
        "consumer-3": [4, 2, 2, 2],
        "consumer-4": [0, 0, 0, 0],
    }


def test_a_consumer_that_was_killed_is_behind_until_then_and_its_next_life_from_its_first_read_on(
    tmp_path: Path,
) -> None:
    value = {"target": "consumer", "instance": "consumer-1", "address": "pid 7"}
    told = [acknowledged(0.5, 0), acknowledged(0.5, 1), read(1.99, "consumer-1", 0), read(4.5, "consumer-1-2", 0)]
    told += [Event(2.0, "nemesis", "fault", kind, key="kill", value=value) for kind in ("invoke", "ok")]

    alone = {"consumer-1": Subscription("drill", None)}
    found = behind(tmp_path, [run_record.begin(0.0, {}, (), alone), *told])

    assert found["consumer-1"][:5] == [2, 1, None, None, None]
    assert found["consumer-1-2"][:6] == [None, None, None, None, 1, 1]


def test_the_curves_of_a_long_drill_with_many_readers_are_bounded(tmp_path: Path) -> None:
    told = [acknowledged(0.5, 9), acknowledged(3000.0, 10)]
    told += [read(1.0, f"consumer-{number}", min(9, number)) for number in range(1, 21)]
    alone = {f"consumer-{number}": Subscription("drill", None) for number in range(1, 21)}

    drawn = timeline(tmp_path, [run_record.begin(0.0, {}, (), alone), *told]).lag

    assert len(drawn.curves) == READER_LIMIT
    assert drawn.left_out == 20 - READER_LIMIT
    assert {"consumer-1", "consumer-2"} <= {curve.reader for curve in drawn.curves}, (
        "who is furthest behind is drawn"
    )
    assert all(len(curve.messages) <= LAG_BINS + 1 for curve in drawn.curves)
