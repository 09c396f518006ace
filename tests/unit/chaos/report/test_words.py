"""How figures are written, and the verdict on a terminal."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from rmqops.chaos.report import ReportPaths, junit, words
from rmqops.chaos.verdicts.verdict import Number, Verdict
from rmqops.cli import app, verdicts
from tests.support.drill import result, write_run

PATHS = ReportPaths(Path("/runs/1/report.html"), Path("/runs/1/junit.xml"))


@pytest.mark.parametrize(
    ("milliseconds", "written"),
    [
        (None, "\N{EM DASH}"),
        (0, "0 ms"),
        (61.4, "61 ms"),
        (999.4, "999 ms"),
        (999.7, "1.00 s"),
        (6201, "6.20 s"),
        (5421.4, "5.42 s"),
        (59_949, "59.9 s"),
        (59_999, "1 min 0 s"),
        (125_400, "2 min 5 s"),
        (7_260_000, "2 h 1 min"),
    ],
)
def test_a_duration_has_the_unit_of_its_size(milliseconds: float | None, written: str) -> None:
    assert words.duration(milliseconds) == written


@pytest.mark.parametrize(
    ("name", "value", "label", "written"),
    [
        ("lost", 0, "lost", "0"),
        ("lost", None, "lost", "\N{EM DASH}"),
        ("acknowledged", 1234567, "acknowledged", "1,234,567"),
        ("sustained_ms", 5421.0, "sustained", "5.42 s"),
        ("route_lost_ms.namesrv-1", 61.0, "route lost, namesrv-1", "61 ms"),
        ("longest_s", 5.204, "longest", "5.204 s"),
        ("ratio", 0.5, "ratio", "0.5"),
        ("first", "broker-a/3", "first", "broker-a/3"),
    ],
)
def test_a_figure_has_the_unit_of_its_name(name: str, value: Number, label: str, written: str) -> None:
    assert (words.label(name), words.number(name, value)) == (label, written)


def test_the_parts_of_an_rto_follow_each_other() -> None:
    steps = words.rto_steps(result(Verdict.PASS))
    assert [(step.label, step.since, step.at) for step in steps] == [
        ("route lost", 0.0, 61.5),
        ("new master", 61.5, 5000.0),
        ("first acknowledged", 5000.0, 5100.0),
        ("sustained", 5100.0, None),
    ]
    assert words.rto_steps(result()) == ()


def test_a_drill_that_was_cut_short_says_so() -> None:
    judged = result(Verdict.PASS)
    notes = ("a torn line", "the drill was cut short: interrupted")
    cut = replace(judged, verdicts=replace(judged.verdicts, overall=Verdict.INCONCLUSIVE, notes=notes))
    assert words.reason(cut) == "The drill was cut short: interrupted."
    assert 'message="The drill was cut short: interrupted."' in junit.render(cut)


def test_a_drill_without_times_has_no_length() -> None:
    judged = result(Verdict.PASS)
    assert words.length(judged) == 61
    assert words.length(replace(judged, ended="")) is None
    assert words.length(replace(judged, started="2026-01-02T03:04:05")) == 61, "a time without a zone is UTC"


def test_a_time_is_written_in_utc() -> None:
    assert words.clock("2026-01-02T03:04:05.678+02:00") == "2026-01-02 01:04:05 UTC"
    assert words.clock("yesterday") == "yesterday"


def test_off_a_terminal_the_verdict_is_plain_and_uncut() -> None:
    text = "a finding that is as long as an error of a broker can be, " * 20
    shown = verdicts.lines(result(Verdict.PASS, Verdict.FAIL, text=text), PATHS)
    assert shown[0] == "FAIL  kill-master on local, RocketMQ 4.5.2, seed 7"
    assert f"fail          check-1       {text} 1" in shown
    assert shown[-2:] == ["report  /runs/1/report.html", "junit   /runs/1/junit.xml"]


def test_control_characters_of_a_broker_are_shown_not_obeyed() -> None:
    shown = "\n".join(verdicts.lines(result(Verdict.FAIL, text="\x1b[2J\r\n\N{BEL}gone")))
    assert r"\x1b[2J\r\n\x07gone" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("width", [40, 80, 160])
def test_on_a_terminal_the_verdict_fits_and_markup_is_text(width: int) -> None:
    console = Console(
        file=io.StringIO(), force_terminal=True, width=width, color_system=None, markup=False, _environ={}
    )
    judged = result(Verdict.PASS, Verdict.FAIL, text="[bold]x[/nothing] \x1b[2J", heal_failed=True)
    for part in verdicts.drawn(judged):
        console.print(part)
    drawn = console.file.getvalue()  # type: ignore[attr-defined]
    joined = "".join(drawn.replace("\u2502", "").split())
    assert "[bold]x[/nothing]\\x1b[2J" in joined
    assert "Healfailed:afaultmaystillbeinforce" in joined
    assert all(len(line) <= width for line in drawn.splitlines())


def test_the_command_writes_the_reports_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", result(Verdict.PASS))
    assert app.run(["chaos", "report", str(run), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"verdict": "pass", "html": str(run / "report.html"), "junit": str(run / "junit.xml")}
    assert (run / "report.html").exists()
    assert app.run(["chaos", "report", str(run)]) == 0
    assert capsys.readouterr().out.startswith("PASS  kill-master on local")


def test_a_run_is_found_by_its_name_in_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "runs" / "20260102T030405Z-kill-master", result(Verdict.PASS))
    monkeypatch.chdir(tmp_path)
    assert app.run(["chaos", "report", "20260102T030405Z-kill-master"]) == 0
    assert app.run(["chaos", "report", "another"]) == 2
    assert "name one of 20260102T030405Z-kill-master" in capsys.readouterr().err
