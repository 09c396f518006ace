"""Runs side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rmqops.chaos.report import comparison
from rmqops.chaos.report.result import write_result
from rmqops.chaos.verdicts.verdict import Counts, Verdict
from rmqops.cli.app import run
from tests.support import drill

PASSED = drill.result(Verdict.PASS, counts=Counts(10, lost=0, rto_ms=5000.0))
FAILED = drill.result(Verdict.PASS, Verdict.FAIL, counts=Counts(20, lost=3, rto_ms=9000.0))
UNTOLD = drill.result(Verdict.INCONCLUSIVE, counts=Counts(5))


def test_a_row_tells_what_did_not_pass_and_the_parts_of_the_rto() -> None:
    row, _ = comparison.rows({"b": replace(FAILED, started="2026-02"), "a": replace(PASSED, started="2026-03")})
    assert (row.run, row.verdict, row.not_passed, row.lost) == ("b", "fail", ("check-1",), 3)
    assert (row.rto_ms, row.new_master_ms, row.end_to_end_p99_ms) == (9000.0, 5000.0, None)


def test_a_drill_has_the_spread_of_its_runs() -> None:
    other = replace(PASSED, drill="other")
    found = {one.drill: one for one in comparison.spreads([PASSED, FAILED, UNTOLD, other])}
    mine = found[PASSED.drill]
    assert (mine.runs, mine.verdicts, mine.lost) == (3, {"pass": 1, "fail": 1, "inconclusive": 1}, 3)
    assert mine.rto_ms == (5000.0, 7000.0, 9000.0)
    assert found["other"].runs == 1
    assert comparison.spreads([UNTOLD])[0].rto_ms == (None, None, None)


def test_what_two_clients_saw_is_not_put_together() -> None:
    official = replace(FAILED, client={"driver": "java"})
    native = replace(PASSED, client={"driver": "native"})
    assert [(one.driver, one.runs) for one in comparison.spreads([official, native])] == [
        ("java", 1),
        ("native", 1),
    ]


def test_the_command_reads_runs_and_names_one_that_is_none(tmp_path: Path) -> None:
    for name, result in (("a", PASSED), ("b", UNTOLD)):
        (tmp_path / name).mkdir()
        write_result(tmp_path / name, result)
    assert run(["chaos", "compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    assert run(["chaos", "compare", str(tmp_path / "c")]) == 2


def test_a_page_shows_the_runs_and_links_to_their_reports(tmp_path: Path) -> None:
    named = replace(UNTOLD, drill="<b>&")
    for name, result in (("a", PASSED), ("b", FAILED), ("c", named)):
        (tmp_path / name).mkdir()
        write_result(tmp_path / name, result)
    (tmp_path / "b" / "report.html").write_text("")
    page = tmp_path / "page.html"
    runs = [str(tmp_path / name) for name in "abc"]
    assert run(["chaos", "compare", *runs, "--html", str(page)]) == 0
    text = page.read_text()
    assert text.count("<circle") == 2, "a run without an RTO has no dot"
    assert text.count("href=") == 1
    assert 'href="b/report.html"' in text
    assert "<b>&" not in text
    assert "script-src" not in text
    assert run(["chaos", "compare", *runs, "--html", str(tmp_path / "none" / "page.html")]) == 1
