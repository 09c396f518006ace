"""What must be true before a drill touches anything."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from rmqops.chaos import faults, guard, healing, targets
from rmqops.chaos.drill import Drill
from rmqops.errors import OperationFailed, PreflightFailed
from rmqops.model.topology import Instance, Topology
from rmqops.operations import status
from rmqops.operations.logbook import state_directory
from rmqops.transport.base import Transport


def permit(topology: Topology, drill: Drill, typed: str | None) -> None:
    """Ask the guard, with the most that the drill's target can mean; no command is sent for it.

    Raises:
        Unsafe: the cluster may not be drilled, or the drill takes more than it declares.
        UsageError: the target names nobody.
    """
    guard.permit(topology, typed)
    guard.limit(topology, drill, targets.worst_case(drill.target, topology))


def steady(topology: Topology, transports: Callable[[Instance], Transport]) -> None:
    """Make sure that the cluster is healthy and that no fault is in force.

    Raises:
        PreflightFailed: it is not; says what is wrong.
    """
    seen = status.observe(topology)
    if not seen.healthy:
        raise PreflightFailed(
            f"cluster {topology.cluster} is not healthy, so a drill would prove nothing; nothing was touched",
            detail="\n".join(seen.problems),
            remedy=f"rmqops status --inventory {topology.inventory}",
        )
    try:
        armed = healing.armed(topology, transports)
    except OperationFailed as error:
        raise PreflightFailed(f"{error.message}; nothing was touched", detail=error.detail) from error
    if armed:
        raise PreflightFailed(
            f"a drill against {topology.cluster} runs elsewhere or has left something behind; nothing was touched",
            detail="\n".join(f"{instance.name}: {fault} is armed" for instance, fault in armed),
            remedy=f"wait for it, or rmqops chaos heal --inventory {topology.inventory}",
        )


def possible(topology: Topology, drill: Drill, transports: Callable[[Instance], Transport]) -> None:
    """Make sure that the fault is possible on every instance that the target could mean; a probe changes nothing.

    Raises:
        PreflightFailed: it is not somewhere; says where and why.
    """
    fault = faults.find(drill.fault)

    def ask(instance: Instance) -> str | None:
        probe = transports(instance).run(fault.requires(instance))
        return None if probe.ok else f"{instance.name}: {probe.stderr.strip() or probe.stdout.strip()}"

    with ThreadPoolExecutor(max_workers=32) as pool:
        problems = [told for told in pool.map(ask, targets.candidates(drill.target, topology)) if told]
    if problems:
        raise PreflightFailed(
            f"the fault {drill.fault} is not possible on {topology.cluster}; nothing was touched",
            detail="\n".join(problems),
        )


@contextmanager
def alone(topology: Topology) -> Iterator[None]:
    """Hold a lock, so that one user's drills against a cluster do not run at once; the kernel frees it on death.

    Raises:
        PreflightFailed: a drill is running.
    """
    directory = state_directory() / "locks"
    directory.mkdir(parents=True, exist_ok=True)
    addresses = " ".join(instance.address for instance in topology.instances)
    name = hashlib.sha256(f"{topology.cluster} {addresses}".encode()).hexdigest()[:16]
    descriptor = os.open(directory / f"drill-{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PreflightFailed(
                f"a drill against {topology.cluster} is running already; nothing was touched",
                remedy="wait until it has ended",
            ) from None
        yield
    finally:
        os.close(descriptor)
