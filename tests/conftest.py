"""Fixtures of every test."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rmqops.model.releases import DEFAULT_VERSION
from rmqops.source.build import ensure_artifact
from rmqops.source.cache import unpacked
from tests.support.clusters import Cluster, dledger_inventory, free_port_base
from tests.support.lab import lab

__all__ = ["lab"]  # a fixture that lives elsewhere

# Who starts the tests in the background has Ctrl-C ignored, and so would all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def rocketmq_home() -> Path:
    """A distribution of the default release, built from source by rmqops itself."""
    return unpacked(ensure_artifact())


@pytest.fixture(scope="module")
def make_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Cluster]]:
    """Write inventories of throw-away clusters; whatever runs at the end is destroyed."""
    made: list[Cluster] = []

    def make(
        version: str = DEFAULT_VERSION, describe: Callable[..., dict[str, Any]] = dledger_inventory
    ) -> Cluster:
        directory = tmp_path_factory.mktemp("cluster")
        inventory = directory / "inventory.yml"
        base = directory / "srv"
        inventory.write_text(yaml.safe_dump(describe(base, free_port_base(), version), sort_keys=False))
        made.append(Cluster(inventory, base))
        return made[-1]

    yield make
    for cluster in made:
        name = cluster.topology.cluster
        cluster.must("destroy", "--data", "--confirm", name)
        assert not cluster.base.exists(), f"destroy left {sorted(map(str, cluster.base.rglob('*')))[:20]}"


@pytest.fixture(scope="module")
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    """A deployed and healthy cluster of 3 NameServers and 3 brokers, shared by the tests of a module."""
    made = make_cluster()
    made.must("deploy", "--yes")
    return made


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail when a test left a process of rmqops running; one that the last test killed has a moment to be gone."""
    yield
    mark = f"-Drmqops.instance={tmp_path_factory.getbasetemp()}".encode()
    end = time.monotonic() + 5
    while left := [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if mark in _read(path)]:
        assert time.monotonic() < end, f"processes left behind: {left}"
        time.sleep(0.1)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
