"""What must be true before a drill touches anything."""

from __future__ import annotations

import fcntl
import hashlib
import math
import os
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rmqops.chaos import faults
from rmqops.chaos.drill import Drill, Strike, guard, targets
from rmqops.chaos.load.clients import java
from rmqops.chaos.load.clients.drivers import Driver, Native
from rmqops.chaos.load.hosts import remote
from rmqops.chaos.load.hosts.files import ClientFiles, client_directory
from rmqops.chaos.load.hosts.files.java import Jars
from rmqops.chaos.load.hosts.files.native import Modules
from rmqops.chaos.load.hosts.place import Place
from rmqops.chaos.load.settings import Load
from rmqops.chaos.mechanisms.plan import Aim
from rmqops.chaos.run import heal
from rmqops.errors import OperationFailed, PreflightFailed
from rmqops.model.commands import Command
from rmqops.model.topology import Client, Instance, Reachable, Topology
from rmqops.operations.logbook import state_directory
from rmqops.operations.observe import status
from rmqops.transport.base import Transport

Transports = Callable[[Reachable], Transport]

# Prints the address that this host takes to each of the arguments.
_SOURCES = """
for to in "$@"; do
  ip -4 -o route get "$to"
done | sed -n 's/.* src \\([0-9.]*\\).*/\\1/p' | sort -u
"""


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
        armed = heal.armed(topology, transports)
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
    _fits(topology, drill)
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


def _fits(topology: Topology, drill: Drill) -> None:
    """Make sure that the cluster has what the drill is about.

    A phase that expects ``reads`` strikes where nobody is elected and others serve; shares take two groups.
    """
    if drill.limits.uneven and len(topology.groups) < 2:
        raise PreflightFailed(
            f"drill {drill.name} needs two groups that share the messages; nothing was touched",
            remedy="run it against a cluster of several groups",
        )
    if all(phase.expects != "reads" for phase in drill.phases):
        return
    modes = {group.mode for group in topology.groups}
    if modes != {"master-slave"} or len(topology.groups) < 2:
        raise PreflightFailed(
            f"drill {drill.name} needs two groups of mode master-slave, and nothing else; nothing was touched",
            remedy="run it against such a cluster, of RocketMQ 4.4.0, for instance",
        )


def driver(topology: Topology, load: Load) -> Driver:
    """Make ready what sends and receives.

    Raises:
        PreflightFailed: this machine lacks what the driver needs, or the load is none for it.
        SourceError: our classes do not compile.
    """
    if load.driver == "native":
        return Native()
    queues = load.queues * len(topology.groups)
    members = math.ceil(load.consumers / (load.topics * load.groups))
    if members > queues:
        raise PreflightFailed(
            f"{members} consumers of one group share the {queues} queues of a drill's topic, so some "
            "would receive nothing; nothing was touched",
            remedy="ask for fewer consumers, or for more queues in the drill's load",
        )
    return java.prepare(topology.version, load.client.model_dump(by_alias=True))


def place(topology: Topology, load: Load) -> None:
    """Make sure that there is a machine for the load to run on; nothing is sent for it.

    Raises:
        PreflightFailed: there is none.
    """
    if load.where == "clients" and not topology.clients:
        raise PreflightFailed(
            f"the drill's load is to run on hosts of the group clients, and {topology.inventory} has none; "
            "nothing was touched",
            remedy="list hosts that carry no instance in a group clients, or use --where controller",
        )


def addresses(topology: Topology, load: Load, transports: Transports) -> tuple[str, ...]:
    """Return the addresses from which the load reaches the instances; nothing is sent to those.

    Raises:
        PreflightFailed: a client's host cannot tell.
    """
    if load.where == "clients":
        with ThreadPoolExecutor(max_workers=32) as pool:
            told = pool.map(lambda one: _sources(topology, one, transports(one)), topology.clients)
            return tuple(dict.fromkeys(address for found in told for address in found))
    return _own_addresses(topology)


def _sources(topology: Topology, client: Client, transport: Transport) -> list[str]:
    done = transport.run(Command.shell(_SOURCES, *(one.ip for one in topology.instances), become=False))
    if not done.ok or not done.stdout.split():
        raise PreflightFailed(
            f"{client.name} has no way to the instances; nothing was touched",
            detail=done.stderr.strip() or None,
            remedy="see its routes with ip route, or take it out of the group clients",
        )
    return done.stdout.split()


def _own_addresses(topology: Topology) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for instance in topology.instances:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, suppress(OSError):
            one.connect((instance.ip, instance.port))
            found[one.getsockname()[0]] = None
    return tuple(found)


def prepare_client_hosts(
    topology: Topology, load: Load, transports: Transports, say: Callable[[str], None]
) -> tuple[Place, ...]:
    """Make the clients' hosts ready for the load, and measure how far their clocks are from ours.

    Returns:
        Where the load runs; nothing where that is this machine.

    Raises:
        PreflightFailed: a host cannot run it (then nothing was put on any), or what it needs cannot be put there.
        OperationFailed: a host cannot be asked.
    """
    if load.where != "clients":
        return ()
    freight = _cargo(topology, load)
    with ThreadPoolExecutor(max_workers=8) as pool:
        seen = list(pool.map(lambda one: freight.survey(one, transports(one)), topology.clients))
        for one in seen:
            if one.missing:
                names = ", ".join(piece.name for piece in one.missing)
                say(f"{one.client.name}: putting {names} into {client_directory(one.client)}")
        stowed = list(pool.map(lambda one: one.upload(), seen))
    # One after the other, so that they do not make one another's round trips longer.
    places = [remote.ClientHost(one, remote.measure_clock(one)) for one in stowed]
    for place in places:
        say(f"load on {place.name}: {', '.join(f'{key} {value}' for key, value in place.facts.items())}")
    return tuple(places)


def _cargo(topology: Topology, load: Load) -> ClientFiles:
    if load.driver == "native":
        return Modules()
    return Jars(java.compile_client(topology.version), load.client.model_dump(by_alias=True))


@contextmanager
def exclusive(topology: Topology) -> Iterator[None]:
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
