"""What a bench counts: acknowledgements of its time, by group, with the time that each took."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rmqops.chaos import bench
from rmqops.chaos.load.settings import Load
from rmqops.errors import Inconclusive
from rmqops.model.history import Event
from tests.support.instances import topology
from tests.support.scripted_cluster import ScriptedCluster

WANTED = Load(rate=0, size=100, producers=2, in_flight=8)


def lines(*sends: tuple[float, float, str, str]) -> Iterator[str]:
    """Tell sends: when, how many seconds later the answer came, which, and from which group."""
    for number, (t, took, kind, group) in enumerate(sends):
        yield Event(t, "producer-1", "send", "invoke", topic="t", key=f"k{number}").record()
        place = {"broker": group, "queue": 0, "offset": number} if kind == "ok" else {}
        yield Event(t + took, "producer-1", "send", kind, topic="t", key=f"k{number}", **place).record()  # type: ignore[arg-type]


def test_what_came_before_and_after_does_not_count() -> None:
    told = lines(
        (4.0, 0.01, "ok", "broker-a"),
        (4.9, 0.2, "ok", "broker-a"),
        (6.0, 0.1, "ok", "broker-a"),
        (7.0, 0.3, "ok", "broker-b"),
        (8.0, 0.1, "fail", ""),
        (14.99, 0.1, "ok", "broker-a"),
    )
    found = bench.measured(topology(groups=2), WANTED, told, 5.0, 15.0)
    assert [(share.group, share.acknowledged, share.members) for share in found.shares] == [
        ("broker-a", 2, 3), ("broker-b", 1, 3)
    ]  # fmt: skip
    assert (found.per_second, found.failed, found.seconds) == (0.3, 1, 10.0)
    assert found.shares[0].p50_ms == pytest.approx(150)
    assert found.shares[1].p99_ms == pytest.approx(300)


def test_nothing_acknowledged_is_no_figure() -> None:
    with pytest.raises(Inconclusive):
        bench.measured(topology(), WANTED, lines((6.0, 0.1, "fail", "")), 5.0, 15.0)


def test_a_bench_loads_a_cluster_for_a_time_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RMQOPS_STATE", str(tmp_path))
    cluster = ScriptedCluster(topology(groups=2, nameservers=1))
    said: list[str] = []
    request = bench.BenchRequest(cluster.topology, WANTED.model_copy(update={"rate": 50}), seconds=2)
    measured = bench.run(request, said.append, cluster.environment())
    assert measured.per_second == pytest.approx(100, rel=0.05)
    assert [share.group for share in measured.shares] == ["broker-a", "broker-b"]
    assert (measured.failed, measured.producers, measured.in_flight) == (0, 2, 8)
    assert said[1:] == ["warm-up, 5 s", "2 producers, 8 sends of each under way, for 2 s"]
    assert cluster.untouched


def test_a_bench_whose_load_does_not_flow_is_inconclusive_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RMQOPS_STATE", str(tmp_path))
    cluster = ScriptedCluster(topology(nameservers=1))
    cluster.deaf.add("producer-2")
    request = bench.BenchRequest(cluster.topology, WANTED.model_copy(update={"rate": 10}), seconds=2)
    with pytest.raises(Inconclusive, match="producer-2: 0 acknowledged"):
        bench.run(request, lambda _: None, cluster.environment())
    assert cluster.untouched
