"""What must be true before a drill touches anything."""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rmqops.chaos import faults, guard, healing, targets
from rmqops.chaos.drill import Drill, Load, Strike
from rmqops.chaos.faults import Aim
from rmqops.chaos.workload import java
from rmqops.chaos.workload.drivers import Driver, Native
from rmqops.errors import OperationFailed, PreflightFailed
from rmqops.model.topology import Instance, Topology
from rmqops.operations import status
from rmqops.operations.logbook import state_directory
from rmqops.transport.base import Transport


def permit(topology: Topology, drill: Drill, typed: str | None) -> None:
    """Ask the guard, with the most that the drill's targets can mean; no command is sent for it.

    Raises:
        Unsafe: the cluster may not be drilled, or the drill takes more than it declares.
        UsageError: the target names nobody.
    """
    guard.permit(topology, typed)
    for phase in drill.phases:
        guard.limit(
            topology,
            drill,
            [one for strike in phase.strikes for one in targets.worst_case(strike.target, topology)],
        )


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


@dataclass(frozen=True)
class Probed:
    """A fault that is possible on an instance, and what its probe printed there."""

    strike: Strike
    aim: Aim
    found: str


def possible(
    topology: Topology,
    drill: Drill,
    transports: Callable[[Instance], Transport],
    clients: tuple[str, ...],
) -> tuple[Probed, ...]:
    """Make sure that each fault is possible on every instance that its target could mean; a probe changes nothing.

    Raises:
        PreflightFailed: one is not, somewhere; says where and why.
        UsageError: a target or an option names nobody.
    """
    asked = {
        (strike.fault, str(strike.options), instance.name): (
            strike,
            Aim(instance, topology, strike.chosen, clients=clients),
        )
        for strike in drill.strikes
        for instance in targets.candidates(strike.target, topology)
    }

    def ask(item: tuple[Strike, Aim]) -> tuple[Probed, str | None]:
        strike, aim = item
        probe = transports(aim.instance).run(faults.find(strike.fault).requires(aim))
        why = probe.stderr.strip() or probe.stdout.strip()
        told = f"{aim.instance.name}: {strike.fault}: {why or f'its probe ended with {probe.code}'}"
        return Probed(strike, aim, probe.stdout), None if probe.ok else told

    with ThreadPoolExecutor(max_workers=32) as pool:
        answers = list(pool.map(ask, asked.values()))
    problems = [told for _, told in answers if told]
    if problems:
        kinds = ", ".join(dict.fromkeys(probed.strike.fault for probed, told in answers if told))
        raise PreflightFailed(
            f"the fault {kinds} is not possible on {topology.cluster}; nothing was touched",
            detail="\n".join(problems),
        )
    return tuple(probed for probed, _ in answers)


def driver(topology: Topology, load: Load) -> Driver:
    """Make ready what sends and receives.

    Raises:
        PreflightFailed: this machine lacks what the driver needs, or the load is none for it.
        SourceError: our classes do not compile.
    """
    if load.driver == "native":
        return Native()
    queues = load.queues * len(topology.groups)
    if load.consumers > queues:
        raise PreflightFailed(
            f"{load.consumers} consumers of one group share the {queues} queues of the drill's topic, so some "
            "would receive nothing; nothing was touched",
            remedy="ask for fewer consumers, or for more queues in the drill's load",
        )
    return java.prepare(topology.version, load.client.model_dump(by_alias=True))


def addresses(topology: Topology) -> tuple[str, ...]:
    """Return the addresses from which this machine reaches the instances; nothing is sent for it."""
    found: dict[str, None] = {}
    for instance in topology.instances:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, suppress(OSError):
            one.connect((instance.ip, instance.port))
            found[one.getsockname()[0]] = None
    return tuple(found)


@contextmanager
def alone(topology: Topology) -> Iterator[None]:
    """Hold a lock, so that one user's drills against a cluster do not run at once; the kernel frees it on death.

    Raises:
        PreflightFailed: a drill is running.
    """
    path = _lock(topology)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PreflightFailed(
                f"a drill against {topology.cluster} is running already; nothing was touched",
                remedy=f"wait until it has ended, or rmqops chaos abort --inventory {topology.inventory}",
            ) from None
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def abort(topology: Topology) -> bool:
    """Ask the drill of this user that runs against a cluster to end in order; tell whether there was one."""
    try:
        descriptor = os.open(_lock(topology), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # Who holds the lock is alive, so the pid in it is its own: the kernel frees it on any death.
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
        written = os.read(descriptor, 32).decode(errors="replace").strip()
        if not written.isdecimal():
            return False
        os.kill(int(written), signal.SIGTERM)
        return True
    finally:
        os.close(descriptor)


def _lock(topology: Topology) -> Path:
    addresses = " ".join(instance.address for instance in topology.instances)
    name = hashlib.sha256(f"{topology.cluster} {addresses}".encode()).hexdigest()[:16]
    return state_directory() / "locks" / f"drill-{name}.lock"
