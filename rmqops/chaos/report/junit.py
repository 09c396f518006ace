"""``junit.xml``: a drill as a test suite, for whatever reads JUnit's XML (Jenkins, GitLab and others).

A check is a test case. ``fail`` is a ``failure``. ``inconclusive`` is an ``error``, JUnit's word for a test that
could not tell: ``skipped`` would show it green, and what was not judged is never a pass. A heal that failed is a
failing case of its own. So the suite is red exactly when the drill's verdict is not ``pass``.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from rmqops.chaos.load.roster import client_words
from rmqops.chaos.report import words
from rmqops.chaos.report.result import Result
from rmqops.chaos.verdicts.verdict import CheckResult, Evidence, Verdict

_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped (section 2.2)."""


def render(result: Result) -> str:
    """Return the document."""
    root = Element("testsuites")
    suite = SubElement(root, "testsuite")
    _properties(suite, result)
    for check in result.verdicts.results:
        _outcome(_case(suite, result, check.name), check)
    _beyond_the_checks(suite, result)
    cases = suite.findall("testcase")
    totals = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": sum(case.find("error") is not None for case in cases),
    }
    seconds = f"{words.length(result) or 0:.3f}"
    for element in (root, suite):
        element.set("name", _text(f"{result.drill} on {result.inventory}"))
        element.set("time", seconds)
        for name, total in totals.items():
            element.set(name, str(total))
    suite.set("skipped", "0")
    started = words.utc(result.started)
    # The schema's pattern has neither a zone nor a fraction.
    suite.set("timestamp", f"{started:%Y-%m-%dT%H:%M:%S}" if started else _text(result.started))
    suite.set("hostname", "localhost")
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _properties(suite: Element, result: Result) -> None:
    properties = SubElement(suite, "properties")
    counts = result.verdicts.counts
    particulars = {
        "drill": result.drill,
        "inventory": result.inventory,
        "seed": result.seed,
        "version": result.version,
        "client": client_words(result.client),
        "verdict": result.verdict.value,
        "started": result.started,
        "ended": result.ended,
        **{name: getattr(counts, name) for name in counts.__dataclass_fields__},
    }
    for name, value in particulars.items():
        if value is not None:
            SubElement(properties, "property", name=name, value=_text(str(value)))


def _case(suite: Element, result: Result, name: str) -> Element:
    # Only the suite has a duration: the checks are one pass over the history.
    return SubElement(
        suite, "testcase", name=_text(name), classname=_text(f"rmqops.chaos.{result.drill}"), time="0"
    )


def _outcome(case: Element, check: CheckResult) -> None:
    text = "\n".join([check.summary, *(_evidence(item) for item in check.evidence)])
    if check.verdict is Verdict.PASS:
        return
    kind = "failure" if check.verdict is Verdict.FAIL else "error"
    problem = SubElement(case, kind, type=check.verdict.value, message=_text(check.summary))
    problem.text = _text(text)


def _beyond_the_checks(suite: Element, result: Result) -> None:
    if result.verdicts.heal_failed:
        case = _case(suite, result, "heal")
        faults = [
            f"{fault.kind} {fault.instance}: {fault.error}" for fault in result.verdicts.faults if fault.error
        ]
        problem = SubElement(case, "failure", type="heal-failed", message="a fault may still be in force")
        problem.text = _text("\n".join(["Run rmqops chaos heal.", *faults]))
    red = any(case.find(kind) is not None for case in suite.iter("testcase") for kind in ("failure", "error"))
    if result.verdict is not Verdict.PASS and not red:
        case = _case(suite, result, "verdict")
        SubElement(case, "error", type=result.verdict.value, message=_text(words.reason(result)))


def _evidence(item: Evidence) -> str:
    parts = {
        "key": item.key,
        "sent by": item.process,
        "at": None if item.t is None else words.second(item.t),
        "broker": item.broker,
        "queue": item.queue,
        "offset": item.offset,
        "acknowledged by": item.address,
        "read by": ", ".join(item.found) or None,
        "missing from": ", ".join(item.missing) or None,
    }
    return "; ".join([item.note, *(f"{name} {value}" for name, value in parts.items() if value is not None)])


def _text(text: str) -> str:
    return _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text)
