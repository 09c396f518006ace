"""One drill of a user against a cluster at once, and how another shell ends the one that runs."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rmqops.errors import PreflightFailed
from rmqops.model.topology import Topology
from rmqops.operations.logbook import private_directory, state_directory
from rmqops.system import locks


@contextmanager
def exclusive(topology: Topology) -> Iterator[None]:
    """Hold a lock, so that one user's drills against a cluster do not run at once; the kernel frees it on death.

    Raises:
        PreflightFailed: a drill is running.
    """
    path = _path(topology)
    private_directory(path.parent.name)
    with locks.held_if_free(path, f"drill against {topology.cluster}") as held:
        if not held:
            raise PreflightFailed(
                f"a drill against {topology.cluster} is running already; nothing was touched",
                remedy=f"wait until it has ended, or rmqops chaos abort --inventory {topology.inventory}",
            )
        yield


def abort(topology: Topology) -> bool:
    """Ask the drill of this user that runs against a cluster to end in order; tell whether there was one.

    Raises:
        OperationFailed: one runs, and it does not say which process it is.
    """
    running = locks.holder(_path(topology))
    return running is not None and running.send(signal.SIGTERM)


def _path(topology: Topology) -> Path:
    addresses = " ".join(instance.address for instance in topology.instances)
    name = hashlib.sha256(f"{topology.cluster} {addresses}".encode()).hexdigest()[:16]
    return state_directory() / "locks" / f"drill-{name}.lock"
