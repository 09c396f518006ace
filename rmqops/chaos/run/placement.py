"""Where the load runs, what it is started with, and from which addresses it reaches the cluster."""

from __future__ import annotations

import math
import socket
from collections.abc import Sequence
from contextlib import suppress

from rmqops.chaos.load.clients import java
from rmqops.chaos.load.clients.drivers import Driver, Native
from rmqops.chaos.load.hosts import remote
from rmqops.chaos.load.hosts.files import ClientFiles, SurveyedHost, client_directory
from rmqops.chaos.load.hosts.files.java import Jars
from rmqops.chaos.load.hosts.files.native import Modules
from rmqops.chaos.load.hosts.place import Place
from rmqops.chaos.load.settings import Load
from rmqops.chaos.run.environment import Environment
from rmqops.errors import PreflightFailed
from rmqops.model.commands import Command
from rmqops.model.topology import Client, Topology
from rmqops.system import parallel
from rmqops.system.progress import Say
from rmqops.transport.base import Transport, Transports

PUT_AT_ONCE = 8
"""Clients' hosts that are sent files at once: our network is what takes time."""

# Prints the source addresses that this host would use for the destinations in its arguments, each once.
_SOURCES = """
for to in "$@"; do
  ip -4 -o route get "$to"
done | sed -n 's/.* src \\([0-9.]*\\).*/\\1/p' | sort -u
"""


def refuse(topology: Topology, load: Load) -> None:
    """Make sure that there is a machine for the load to run on and a queue for each consumer; nothing is sent.

    Raises:
        PreflightFailed: there is none.
    """
    if load.where == "clients" and not topology.clients:
        raise PreflightFailed(
            f"the drill's load is to run on hosts of the group clients, and {topology.inventory} has none; "
            "nothing was touched",
            remedy="list hosts that carry no instance in a group clients, or use --where controller",
        )
    queues = load.queues * len(topology.groups)
    members = math.ceil(load.consumers / (load.topics * load.groups))
    if load.driver == "java" and members > queues:
        raise PreflightFailed(
            f"{members} consumers of one group share the {queues} queues of a drill's topic, so some "
            "would receive nothing; nothing was touched",
            remedy="ask for fewer consumers, or for more queues in the drill's load",
        )


def driver(topology: Topology, load: Load) -> Driver:
    """Make ready what sends and receives; no host is asked for it.

    Raises:
        PreflightFailed: this machine lacks what the driver needs.
        SourceError: our classes do not compile.
    """
    if load.driver == "native":
        return Native()
    return java.prepare(topology.version, topology.patches, load.client.model_dump(by_alias=True))


def addresses(topology: Topology, load: Load, transports: Transports) -> tuple[str, ...]:
    """Return the addresses from which the load reaches the instances; nothing is sent to those.

    Raises:
        PreflightFailed: a client's host cannot tell.
    """
    if load.where == "clients":
        sources = parallel.mapped(lambda one: _sources(topology, one, transports(one)), topology.clients)
        return tuple(dict.fromkeys(address for of_host in sources for address in of_host))
    return _own_addresses(topology)


def _sources(topology: Topology, client: Client, transport: Transport) -> list[str]:
    answer = transport.run(Command.shell(_SOURCES, *(each.ip for each in topology.instances), become=False))
    if not answer.ok or not answer.stdout.split():
        raise PreflightFailed(
            f"{client.name} has no way to the instances; nothing was touched",
            detail=answer.stderr.strip() or None,
            remedy="see its routes with ip route, or take it out of the group clients",
        )
    return answer.stdout.split()


def _own_addresses(topology: Topology) -> tuple[str, ...]:
    sources: dict[str, None] = {}
    for instance in topology.instances:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, suppress(OSError):
            datagrams.connect((instance.ip, instance.port))
            sources[datagrams.getsockname()[0]] = None
    return tuple(sources)


def client_hosts(topology: Topology, load: Load, transports: Transports) -> tuple[SurveyedHost, ...]:
    """Return what the clients' hosts lack for the load, changing nothing; none where it runs on this machine.

    Raises:
        PreflightFailed: a host cannot run it.
        OperationFailed: a host cannot be asked.
    """
    if load.where != "clients":
        return ()
    files = _files(topology, load)
    return tuple(parallel.mapped(lambda one: files.survey(one, transports(one)), topology.clients))


def _files(topology: Topology, load: Load) -> ClientFiles:
    if load.driver == "native":
        return Modules()
    return Jars(java.compile_client(topology.version, topology.patches), load.client.model_dump(by_alias=True))


def places(
    hosts: Sequence[SurveyedHost], starter: Driver, environment: Environment, say: Say
) -> tuple[Place, ...]:
    """Put what the load needs on the clients' hosts and measure how far their clocks are from ours.

    Returns:
        Where the load runs: there, or on this machine where there are none.

    Raises:
        PreflightFailed: what a host needs cannot be put there.
        OperationFailed: a host cannot be asked.
    """
    if not hosts:
        return (environment.here(starter),)
    for host in hosts:
        if host.missing:
            names = ", ".join(piece.name for piece in host.missing)
            say(f"{host.client.name}: putting {names} into {client_directory(host.client)}")
    ready = parallel.mapped(lambda host: host.upload(), hosts, PUT_AT_ONCE)
    # One after the other, so that they do not make one another's round trips longer.
    made = tuple(remote.ClientHost(host, remote.measure_clock(host)) for host in ready)
    for place in made:
        say(f"load on {place.name}: {', '.join(f'{key} {value}' for key, value in place.facts.items())}")
    return made
