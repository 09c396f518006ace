"""A result that was edited, cut or damaged is read, or its place and what was found there are told."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmqops.chaos.history.fault_records import FaultRecord
from rmqops.chaos.report import comparison, words
from rmqops.chaos.report.result import FILE, Result, write_result
from rmqops.chaos.report.result_reading import read_result
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.verdict import CheckResult, Counts, Evidence, Verdict, Verdicts
from rmqops.errors import OperationFailed
from tests.support import damage

RESULT = Result(
    "kill-master",
    "local",
    7,
    "2026-01-01T00:00:00+00:00",
    "2026-01-01T00:01:00+00:00",
    Verdicts(
        Verdict.FAIL,
        (
            CheckResult(
                "lost", Verdict.FAIL, "one", {"lost": 1, "rto_ms": 1.5}, (Evidence("a", t=1.0, found=("x",)),)
            ),
        ),
        Counts(3, 2, 1, 1, 0, 0, 0, 12.5),
        (FaultRecord("kill", "master", "broker-a-0", injected_at=1.0, verified_at=2.0),),
    ),
    Bounds().document(),
    "4.5.2",
    client={"driver": "native"},
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


def at(document: dict[str, Any], path: str, value: object) -> str:
    *way, last = path.split(".")
    inner: Any = document
    for step in way:
        inner = inner[int(step) if step.isdigit() else step]
    inner[int(last) if last.isdigit() else last] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("checks.lost.verdict", "perhaps", "checks.lost.verdict: "),
        ("checks.lost.numbers.lost", float("nan"), "checks.lost.numbers.lost"),
        ("checks.lost.evidence.0.t", "soon", "checks.lost.evidence.0.t: "),
        ("checks", [], "checks: "),
        ("faults.0.injected_at", float("inf"), "faults.0.injected_at: "),
        ("faults", {}, "faults: "),
        ("acknowledged", "3", "acknowledged: "),
        ("acknowledged", 10**30, "1000000000"),
        ("rto_ms", True, "rto_ms: "),
        ("started", "yesterday", "started: "),
        ("settings.keys", "x", "settings.keys: "),
        ("notes", "a", "notes: "),
    ],
)
def test_what_is_wrong_is_told_by_its_place(tmp_path: Path, path: str, value: object, said: str) -> None:
    text = at(json.loads(json.dumps(RESULT.document())), path, value)
    (tmp_path / FILE).write_text(text)
    with pytest.raises(OperationFailed, match="is not the result of a drill") as raised:
        read_result(tmp_path)
    assert f"{tmp_path / FILE} is not the result of a drill: " in raised.value.message
    assert said in raised.value.message
    assert len(raised.value.message) < 1500


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[]", b"{", damage.DEEP.encode(), b"\xff\xfe", b"{}" + b" " * (1 << 26), b'{"seed": 1e999}'],
    ids=["empty", "null", "list", "cut", "deep", "binary", "large", "infinite"],
)
def test_what_is_no_result_at_all(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(OperationFailed, match="is not the result of a drill"):
        read_result(tmp_path)


def test_a_directory_in_its_place_is_said(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(OperationFailed, match="cannot be read"):
        read_result(tmp_path)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_is_read_can_be_shown(place: Path, seed: int) -> None:
    draw = Random(seed)
    (place / FILE).write_text(damage.spoilt_document(RESULT.document(), draw))
    with suppress(OperationFailed):
        result = read_result(place)
        write_result(place, result)
        assert read_result(place) == result
        rows = comparison.rows({"run": result})
        assert [words.duration(row.rto_ms) for row in rows]
        assert comparison.spreads([result])
