"""The arithmetic of a cluster's size, and the figures that it is made from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rmqops.cli.app import run
from rmqops.operations.sizing import Demand, Measured, size

FIGURES = {
    "size": 1024,
    "shares": [{"members": 3, "per_second": 20_000.0}, {"members": 3, "per_second": 50_000.0}],
}


def test_a_hundred_thousand_messages_a_second_over_five_groups() -> None:
    found = size(Demand(100_000, 1024, 72), Measured(40_000, 1024, 3), headroom=0.5)
    assert (found.groups, found.brokers, found.per_second_of_a_group) == (5, 15, 20_000)
    stored = 1024 + 200 + 91 + 48 + 20
    assert found.write_bytes_per_second == 20_000 * stored
    assert found.disk_bytes == pytest.approx(20_000 * stored * 72 * 3600 / 0.7, abs=1)
    assert found.page_cache_bytes == 20_000 * stored * 600
    assert found.network_out_bits_per_second == 3 * found.network_in_bits_per_second, "two followers, one reader"


@pytest.mark.parametrize(("asked", "groups"), [(1, 1), (10_000, 1), (10_001, 2), (20_000, 2)])
def test_a_group_is_never_asked_for_more_than_is_left_beside_the_headroom(asked: float, groups: int) -> None:
    found = size(Demand(asked, 100, 1), Measured(20_000, 100, 3), headroom=0.5)
    assert found.groups == groups
    assert found.share_of_measured <= 0.5


def test_the_slowest_group_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(FIGURES))
    assert run(["size", "--qps", "100000", "--figures", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["groups"] == 10


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "is not what rmqops bench --json prints"),
        ("[]", "is not what rmqops bench --json prints"),
        ('{"size": 1024, "shares": []}', "is not what rmqops bench --json prints"),
        ('{"size": 1024, "shares": [{"members": 3, "per_second": 0}]}', "a figure that is not above 0"),
        ('{"size": 512, "shares": [{"members": 3, "per_second": 9}]}', "was measured with 512 bytes"),
    ],
)
def test_figures_that_nobody_measured_are_refused(
    content: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bench.json"
    path.write_text(content)
    assert run(["size", "--qps", "10", "--figures", str(path)]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert "remedy: " in error
