"""JUnit XML: red exactly when the drill did not pass, and well-formed whatever a broker wrote."""

from __future__ import annotations

import itertools
from xml.etree.ElementTree import Element, fromstring

import pytest

from rmqops.chaos.report import junit
from rmqops.chaos.report.result import Result
from rmqops.chaos.verdicts.verdict import Verdict
from tests.support.drill import result

CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase"},
    "properties": {"property"},
    "property": set(),
    "testcase": {"failure", "error"},
    "failure": set(),
    "error": set(),
}
"""What may stand in what, and what each must say, in the schema that Jenkins' JUnit plugin publishes."""

ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name", "time", "tests", "failures", "errors", "skipped", "timestamp", "hostname"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"name", "classname", "time"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
}

WORDS = (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)
DRILLS = [
    (result(*words, heal_failed=failed), " ".join(words) + (", heal failed" if failed else ""))
    for count in range(3)
    for words in itertools.product(WORDS, repeat=count)
    for failed in (False, True)
]


def parse(judged: Result) -> Element:
    return fromstring(junit.render(judged).encode())


@pytest.mark.parametrize("judged", [drill for drill, _ in DRILLS], ids=[name or "no check" for _, name in DRILLS])
def test_the_suite_is_red_exactly_when_the_drill_did_not_pass(judged: Result) -> None:
    root = parse(judged)
    (suite,) = root
    counted = {
        "tests": len(suite.findall("testcase")),
        "failures": len(suite.findall("testcase/failure")),
        "errors": len(suite.findall("testcase/error")),
    }
    for element in (root, suite):
        assert {name: int(element.attrib[name]) for name in counted} == counted
    assert (counted["failures"] + counted["errors"] == 0) == (judged.verdict is Verdict.PASS)
    assert (suite.find("testcase[@name='heal']/failure") is not None) == judged.verdicts.heal_failed


@pytest.mark.parametrize("judged", [drill for drill, _ in DRILLS[-6:]])
def test_the_document_has_the_shape_of_the_schema(judged: Result) -> None:
    for element in parse(judged).iter():
        assert set(element.attrib) == ATTRIBUTES[element.tag]
        assert {child.tag for child in element} <= CHILDREN[element.tag]
        order = [child.tag for child in element]
        assert order == sorted(order, key=lambda tag: tag != "properties"), "properties come first"


def test_fail_is_a_failure_and_inconclusive_an_error() -> None:
    suite = parse(result(Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE))[0]
    assert [[child.tag for child in case] for case in suite.findall("testcase")] == [[], ["failure"], ["error"]]
    assert suite.find("testcase/error").attrib["type"] == "inconclusive"  # type: ignore[union-attr]
    assert "missing from" in str(suite.findtext("testcase/failure"))


def test_the_suite_says_what_was_run() -> None:
    suite = parse(result(Verdict.PASS))[0]
    properties = {each.attrib["name"]: each.attrib["value"] for each in suite.iter("property")}
    wanted = {"seed": "7", "inventory": "local", "verdict": "pass", "acknowledged": "300", "version": "4.5.2"}
    assert properties.items() >= wanted.items()
    assert suite.attrib["timestamp"] == "2026-01-02T03:04:05"
    assert suite.attrib["time"] == "61.000"


def test_what_a_broker_wrote_cannot_break_the_document() -> None:
    text = "\x00\x1b[31m]]></failure><testcase name='forged'/>\ud800\uffff \N{SNOWMAN}"
    suite = parse(result(Verdict.FAIL, text=text))[0]
    assert [case.attrib["name"] for case in suite.findall("testcase")] == ["availability"]
    assert "]]></failure><testcase name='forged'/>" in str(suite.findtext("testcase/failure"))
    assert "\N{SNOWMAN}" in str(suite.findtext("testcase/failure"))
