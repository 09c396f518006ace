"""What the tests of a lane share: made by the first one that asks, looked after, and gone when the lane ends."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress

from rmqops.chaos.run import heal
from rmqops.errors import RmqopsError
from rmqops.operations.observe import health
from tests.support.clusters import Cluster


class Shared:
    """Things that go at the end of a lane, or else of the session; the last ones made go first."""

    def __init__(self) -> None:
        self._ends: list[Callable[[], None]] = []

    def at_end(self, end: Callable[[], None]) -> None:
        """Have something done at the end of the lane."""
        self._ends.append(end)

    def close(self) -> None:
        """End everything, each whatever became of the others; does no harm where nothing is left."""
        errors: list[Exception] = []
        while self._ends:
            try:
                self._ends.pop()()
            except Exception as error:
                errors.append(error)
        if errors:
            raise ExceptionGroup("what the tests shared was not removed", errors)


def well(cluster: Cluster) -> bool:
    """Tell whether a cluster is as its tests expect it: healthy within two minutes, and no fault's heal armed."""
    try:
        health.wait(cluster.topology)
        armed = heal.armed(cluster.topology)
    except RmqopsError as error:
        return _ailing(cluster, str(error))
    return not armed or _ailing(cluster, f"armed: {armed}")


def _ailing(cluster: Cluster, why: str) -> bool:
    sys.stderr.write(f"the shared cluster {cluster.inventory} is made anew, for {why}\n")
    return False


class SharedCluster:
    """A cluster for tests that leave it as they find it. One that a test broke is thrown away for a new one."""

    def __init__(self, make: Callable[[], Cluster], shared: Shared) -> None:
        self._make = make
        self._shared = shared
        self._cluster: Cluster | None = None

    def get(self) -> Cluster:
        """Return the cluster, deployed and healthy."""
        if self._cluster is not None and not well(self._cluster):
            with suppress(AssertionError):  # what it leaves behind, the session finds
                self._cluster.discard()
            self._cluster = None
        if self._cluster is None:
            self._cluster = self._make()
            self._shared.at_end(self._end)
            self._cluster.must("deploy", "--yes")
        return self._cluster

    def _end(self) -> None:
        if self._cluster is not None:
            ended, self._cluster = self._cluster, None
            ended.discard()
