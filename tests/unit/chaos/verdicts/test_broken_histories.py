"""No history, however broken, gives a traceback; and every check is in the docs."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmqops.chaos.history.format import FIELDS, FILE
from rmqops.chaos.verdicts.checks import discover
from rmqops.chaos.verdicts.evaluate import evaluate
from rmqops.chaos.verdicts.verdict import Verdict
from tests.unit.chaos.verdicts.checks.recorded import grouped

LINES = [event.record() for event in grouped()]
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-(1 << 70), 1 << 70), st.floats(), st.text(max_size=5),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
)  # fmt: skip


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """Take a good history and change fields, cut lines, or put bytes in the place of some."""
    lines = [line.encode() for line in LINES]
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        how = draw(st.sampled_from(["field", "cut", "bytes", "deep", "gone"]))
        if how == "field":
            try:
                fields = json.loads(lines[at])
            except (ValueError, RecursionError):
                continue
            fields[draw(st.sampled_from([*FIELDS, "more"]))] = draw(VALUES)
            lines[at] = json.dumps(fields).encode()
        elif how == "cut":
            lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]
        elif how == "bytes":
            lines[at] = draw(st.binary(max_size=20)).replace(b"\n", b" ")
        elif how == "deep":
            lines[at] = b'{"t":' + b"[" * 100_000
        else:
            lines = lines[:at]
            if not lines:
                break
    return b"\n".join([*lines, b""])


@settings(max_examples=25, deadline=None)
@given(broken())
def test_a_broken_history_is_judged_without_a_traceback(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, FILE)
        path.write_bytes(content)

        verdicts = evaluate(path)

    crashed = [result.summary for result in verdicts.results if "the check itself failed" in result.summary]
    assert crashed == []


@pytest.mark.parametrize(
    "line",
    [
        '{"t":1.0,"process":"namesrv-1","op":"route","type":"ok","broker":"broker-a","value":["127.0.0.1:1"]}',
        '{"t":1.0,"process":"namesrv-1","op":"route","type":"ok","broker":"broker-a","value":{"0":10911}}',
        '{"t":1e999,"process":"producer-0","op":"send","type":"invoke","key":"k"}',
        '{"t":1.0,"process":"a-0","op":"committed","type":"ok","topic":"t","broker":"b","key":"g","value":{"0":"x"}}',
        '{"t":1.0,"process":"a-0","op":"committed","type":"ok","topic":"t","broker":"b","key":"g","value":{"-1":"1"}}',
        '{"t":1.0,"process":"a-0","op":"committed","type":"ok","topic":"t","broker":"b","value":{"0":"1"}}',
        '{"t":1.0,"process":"consumer-1","op":"receive","type":"info","value":{"asked":"soon"}}',
        '{"t":1.0,"process":"consumer-1","op":"receive","type":"info","value":{"asked":"nan"}}',
        '{"t":-1,"process":"producer-0","op":"send","type":"invoke","key":"k"}',
        '{"t":1.0,"process":"producer-0","op":"send","type":"ok","topic":"t","broker":"b","queue":99999999999,"offset":0,"key":"k"}',
    ],
)
def test_a_line_of_another_type_makes_the_whole_inconclusive(line: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("\n".join([*LINES[:5], line, *LINES[5:], ""]))

    verdicts = evaluate(tmp_path / FILE)

    assert verdicts.overall is Verdict.INCONCLUSIVE
    assert "history.jsonl:6: " in verdicts.results[0].summary


def test_every_check_has_its_row_in_the_docs() -> None:
    page = (Path(__file__).parents[4] / "docs" / "verdicts.md").read_text("utf-8")

    assert [name for name in discover() if f"\n| `{name}` | " not in page] == []
