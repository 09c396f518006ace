"""The page of a report: what it says, that it needs no network, and that data stays data."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rmqops.chaos.history.fault_records import FaultRecord
from rmqops.chaos.report import html, write_reports
from rmqops.chaos.report.lag import Curve, Lag
from rmqops.chaos.report.lanes import GroupLanes, Lane, Segment
from rmqops.chaos.report.outcomes import ByPeriod, SendError
from rmqops.chaos.report.result import Result
from rmqops.chaos.report.timeline import BIN_LIMIT, Level, Timeline, read_timeline, widths
from rmqops.chaos.verdicts.verdict import Counts, Verdict
from rmqops.errors import OperationFailed, UsageError
from tests.support.drill import result, write_run

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&--> \u2028"


class Reader(HTMLParser):
    """Collects the elements of a page, and the text of those whose text is not markup."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.text: list[str] = []
        self._open = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag
        if tag in self.raw:
            self.raw[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in self.raw:
            self.raw[self._open][-1] += data
        else:
            self.text.append(data)

    def words(self) -> str:
        """Return what a person reads."""
        return " ".join(" ".join(self.text).split())


def page(judged: Result, timeline: Timeline | None = None) -> Reader:
    return Reader(html.render(judged, timeline or Timeline(end=20.0, levels=(empty_level(),))))


def empty_level() -> Level:
    return Level(20.0, *([(0, 0)] * 4), *([(None, None)] * 3))


@pytest.mark.parametrize(
    ("judged", "word", "reason"),
    [
        (result(Verdict.PASS), "pass", "All 300 acknowledged messages were read back"),
        (result(Verdict.PASS, Verdict.FAIL), "fail", "As it should be 1."),
        (result(Verdict.FAIL, Verdict.PASS, Verdict.FAIL), "fail", "The same verdict on: check-2."),
        (result(Verdict.INCONCLUSIVE), "inconclusive", "As it should be 0."),
        (result(), "inconclusive", "Nothing was judged"),
        (result(Verdict.PASS, heal_failed=True), "heal-failed", "A fault may still be in force"),
    ],
)
def test_the_verdict_comes_first_with_its_reason(judged: Result, word: str, reason: str) -> None:
    shown = page(judged).words()
    assert re.search(rf"kill-master on local \S {word} .*{re.escape(reason)}", shown), shown[:300]
    assert shown.index(reason) < shown.index("What the senders were told")


def test_a_heal_that_failed_is_told_beside_a_fail() -> None:
    shown = page(result(Verdict.FAIL, heal_failed=True)).words()
    assert "A heal failed." in shown
    assert "rmqops chaos heal --inventory local" in shown


def test_an_unknown_count_is_no_zero() -> None:
    known = page(result(Verdict.PASS, counts=Counts(1234567, 8, 9, 0, 0, 0, 0, 5421.4))).words()
    unknown = page(result(Verdict.PASS, counts=Counts(1234567, 8, 9))).words()
    assert "acknowledged 1,234,567" in known
    assert "lost 0" in known
    assert "5.42 s" in known
    assert "lost \N{EM DASH} the read-back could not tell" in unknown


def test_a_setting_is_shown_in_its_unit() -> None:
    settings = {"sustained": 5.0, "keys": 40, "uneven_limit": 2.5, "from_slaves": 1}
    shown = page(replace(result(Verdict.PASS), settings=settings)).words()
    assert (
        "setting sustained 5 s setting keys 40 setting uneven limit 2.5 % setting from slaves 1 Written" in shown
    )


def test_what_decides_is_told_first() -> None:
    shown = page(result(Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL)).words()
    told = re.findall(r"\S (pass|inconclusive|fail) \S+ As it should be \d", shown[shown.index(" Checks ") :])
    assert told == ["fail", "inconclusive", "pass"]


def test_faults_of_one_phase_and_kind_are_one_band_that_names_them_all() -> None:
    judged = result(Verdict.PASS)
    faults = (
        FaultRecord("kill", "all", "ns-1", injected_at=5.0, verified_at=5.1, healed_at=9.0),
        FaultRecord("kill", "all", "ns-2", injected_at=5.2, healed_at=9.5),
        FaultRecord("kill", "all", "ns-1", injected_at=20.0, verified_at=20.1, phase=2),
    )
    told = replace(judged, verdicts=replace(judged.verdicts, faults=faults))
    assert json.loads(page(told).raw["script"][0])["faults"] == [
        {"from": 5.0, "to": 9.5, "label": "kill all ns-1, ns-2, ns-2 not seen to bite"},
        {"from": 20.0, "to": None, "label": "kill all ns-1"},
    ]


def test_nothing_in_the_page_asks_the_network() -> None:
    read = page(result(Verdict.PASS))
    asked = [
        (tag, name, value)
        for tag, attributes in read.elements
        for name, value in attributes.items()
        if name in {"src", "srcset", "action", "data", "poster"}
        or (name == "href" and not str(value).startswith("#"))
    ]
    assert asked == []
    assert {tag for tag, _ in read.elements}.isdisjoint({"link", "iframe", "img", "object", "embed", "base"})
    code = "".join(read.raw["style"] + read.raw["script"])
    assert set(re.findall(r"\w+://[^\s\"')]+", code)) == {"http://www.w3.org/2000/svg"}, "a name, never fetched"
    assert "@import" not in code
    assert "url(" not in code.replace("url(#", "")


def test_the_policy_names_the_style_and_the_script_of_the_page_and_nothing_else() -> None:
    read = page(result(Verdict.PASS))
    (policy,) = (each["content"] for tag, each in read.elements if tag == "meta" and "http-equiv" in each)
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    (style,) = read.raw["style"]
    data, script = read.raw["script"]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    assert re.findall(r"'sha256-([^']+)'", policy) == digests
    assert json.loads(data)["end"] == 20.0
    assert not [
        name for _, attributes in read.elements for name in attributes if name == "style" or name[:2] == "on"
    ]


def test_what_a_broker_wrote_stays_text(tmp_path: Path) -> None:
    plain = html.render(result(Verdict.FAIL), hostile("plain"))
    evil = html.render(result(Verdict.FAIL, text=EVIL), hostile(EVIL))
    tags = [tag for tag, _ in Reader(plain).elements]
    assert [tag for tag, _ in Reader(evil).elements] == tags, "the same elements, whatever the text"
    assert "alert(1)" in Reader(evil).words()
    data = json.loads(Reader(evil).raw["script"][0])
    assert data["groups"][0]["name"] == EVIL
    assert data["groups"][0]["lanes"][0]["nameserver"] == EVIL
    assert data["lag"]["curves"][0]["reader"] == EVIL


def hostile(text: str) -> Timeline:
    group = GroupLanes(text, (text,), (Lane(text, (Segment(0, 20, "m"),)),))
    sends = ByPeriod(1, 1, 1)
    error = SendError("fail", text, 2, sends, 0.0, 1.0)
    lag = Lag(10.0, (Curve(text, (0, 7, None)),))
    return Timeline(20.0, (empty_level(),), (group,), (), {"fail": sends}, (error,), names={text: text}, lag=lag)


def test_the_script_writes_no_markup() -> None:
    (_, script) = page(result(Verdict.PASS)).raw["script"]
    found = re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", script)
    assert found == []


def test_evidence_has_the_columns_that_say_something() -> None:
    check = result(Verdict.FAIL).verdicts.results[0]
    titles = [column.title for column in html.evidence_columns(check.evidence)]
    assert titles == ["what", "message", "sent by", "when", "where", "missing from"]
    assert "1.000 to 2.000 s" in page(result(Verdict.FAIL)).words()


def test_a_page_stays_small_however_long_the_history() -> None:
    end = 86_400.0
    shaken = random.Random(1)
    levels = []
    for width in widths(end):
        size = int(end / width) + 1
        counts = [tuple(shaken.randrange(10_000, 99_999) for _ in range(size)) for _ in range(4)]
        times = [tuple(float(f"{shaken.uniform(100, 999):.3g}") for _ in range(size)) for _ in range(3)]
        levels.append(Level(width, *counts, *times))
    assert len(levels[0].ok) > BIN_LIMIT / 4
    text = html.render(result(Verdict.PASS), Timeline(end, tuple(levels)))
    assert len(text.encode()) < 2_000_000


def test_reports_are_written_and_written_again(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", result(Verdict.PASS))
    paths = write_reports(run)
    assert paths.html == run / "report.html"
    first = paths.html.read_text(encoding="utf-8")
    judged = result(Verdict.PASS)
    assert first == html.render(judged, read_timeline(run, judged.verdicts.faults))
    write_run(run, result(Verdict.FAIL))
    assert write_reports(run) == paths
    assert paths.html.read_text(encoding="utf-8") != first
    assert "<failure" in paths.junit.read_text(encoding="utf-8")
    assert sorted(each.name for each in run.iterdir()) == [
        "history.jsonl",
        "junit.xml",
        "report.html",
        "result.json",
    ]


def test_a_run_without_a_history_still_has_junit(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", result(Verdict.PASS))
    (run / "history.jsonl").unlink()
    with pytest.raises(UsageError, match=r"history\.jsonl does not exist"):
        write_reports(run)
    assert (run / "junit.xml").exists()
    assert not (run / "report.html").exists()


@pytest.mark.parametrize(("text", "error"), [(None, UsageError), ("{", OperationFailed), ("{}", OperationFailed)])
def test_a_run_without_a_sound_result_is_refused(tmp_path: Path, text: str | None, error: type[Exception]) -> None:
    if text is not None:
        (tmp_path / "result.json").write_text(text)
    with pytest.raises(error, match=r"result\.json"):
        write_reports(tmp_path)
    assert not (tmp_path / "report.html").exists()
