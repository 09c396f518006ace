"""Fixtures of every test."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from rmqops.model.releases import DEFAULT_VERSION
from rmqops.operations.logbook import STATE_VARIABLE
from rmqops.source.build import ensure_artifact
from rmqops.source.cache import unpacked
from tests.support import lanes
from tests.support.clusters import Cluster, dledger_inventory, free_port_base
from tests.support.lab import deployed_lab, lab, labs
from tests.support.shared import Shared, SharedCluster

__all__ = ["deployed_lab", "lab", "labs"]  # fixtures that live elsewhere

# Who starts the tests in the background has Ctrl-C ignored, and so would all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = pytest.StashKey[Shared]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SHARED] = Shared()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the lanes first, after pytest-randomly has shuffled."""
    lanes.arrange(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out lanes, where groups are asked for."""
    return lanes.LaneScheduling(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """Remove at the end of a lane what its tests have shared: idle brokers take a tenth of a core each."""
    yield
    if nextitem is None or lanes.lane_of(nextitem.path) != lanes.lane_of(item.path):
        item.config.stash[SHARED].close()


@pytest.fixture(scope="session")
def shared(request: pytest.FixtureRequest) -> Iterator[Shared]:
    """What goes at the end of the lane."""
    ours = request.config.stash[SHARED]
    yield ours
    ours.close()


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all workers of this run have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(autouse=True)
def _one_worker_a_lane(request: pytest.FixtureRequest, common: Path) -> None:
    """Fail when two workers run tests of one lane: what those share they would have twice."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    lane = lanes.lane_of(request.path)
    if worker and lane:
        mark = common / f"lane-{lane}"
        with suppress(FileExistsError):
            mark.symlink_to(worker)
        assert str(mark.readlink()) == worker, f"the lane {lane} runs on {mark.readlink()} as well"


@pytest.fixture
def quiet(common: Path) -> Iterator[None]:
    """Have no other test beside this one in which a drill is judged: no two elections share the processors."""
    with (common / "quiet.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def rocketmq_home() -> Path:
    """A distribution of the default release, built from source by rmqops itself."""
    return unpacked(ensure_artifact())


@pytest.fixture(scope="session")
def describe_cluster(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Cluster]:
    """Write inventories of throw-away clusters; nobody removes those."""

    def make(
        version: str = DEFAULT_VERSION, describe: Callable[..., dict[str, Any]] = dledger_inventory
    ) -> Cluster:
        directory = tmp_path_factory.mktemp("cluster")
        inventory = directory / "inventory.yml"
        base = directory / "srv"
        inventory.write_text(yaml.safe_dump(describe(base, free_port_base(), version), sort_keys=False))
        return Cluster(inventory, base)

    return make


@pytest.fixture(scope="module")
def make_cluster(describe_cluster: Callable[..., Cluster]) -> Iterator[Callable[..., Cluster]]:
    """Write inventories of throw-away clusters; whatever runs at the end is destroyed."""
    made: list[Cluster] = []

    def make(*arguments: object, **options: object) -> Cluster:
        made.append(describe_cluster(*arguments, **options))
        return made[-1]

    yield make
    for each in made:
        each.discard()


@pytest.fixture(scope="session")
def shared_cluster(describe_cluster: Callable[..., Cluster], shared: Shared) -> SharedCluster:
    """A cluster of 3 NameServers and 3 brokers for all tests of a lane that leave it as they find it."""
    return SharedCluster(describe_cluster, shared)


@pytest.fixture
def cluster(shared_cluster: SharedCluster) -> Cluster:
    """The shared cluster: deployed and healthy, and a new one where the test before has broken it."""
    return shared_cluster.get()


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what rmqops remembers in a directory of the worker's own: audits, locks, labs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STATE_VARIABLE, str(tmp_path_factory.getbasetemp() / "state"))
        yield


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail when a test of this worker left a process running; one that was killed has a moment to be gone."""
    yield
    mark = f"{tmp_path_factory.getbasetemp()}/".encode()
    end = time.monotonic() + 5
    while left := [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if mark in _read(path)]:
        assert time.monotonic() < end, [f"{pid}: {_read(Path('/proc', pid, 'cmdline'))!r}" for pid in left]
        time.sleep(0.1)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
