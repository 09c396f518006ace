"""From an inventory to a topology: resolve, hold it to every rule, and only then build."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal, cast

from rmqops.errors import InventoryError, Problem
from rmqops.model import connection_variables, patch_choice, rules
from rmqops.model.cluster import CLIENT_KEYS, LOCAL, Cluster, InventoryHost, Reference, Rule, Values
from rmqops.model.inventory import RawInventory
from rmqops.model.topology import Client, Group, Instance, Mode, Topology
from rmqops.model.variables import Unresolvable, resolve

_CONNECTION_KEYS: Final = (
    "ansible_connection",
    *(
        name
        for key in ("ansible_host", "ansible_port", "ansible_user")
        for name in connection_variables.NAMES[key]
    ),
)
_NAMED_HOSTS: Final = 3
"""Hosts named in one problem; more are counted."""


def load(
    raw: RawInventory,
    reference: Reference,
    process_environment: Mapping[str, str],
    *,
    machine_memory: Mapping[str, int] | None = None,
    machine_names: Mapping[str, str] | None = None,
) -> tuple[Topology, tuple[Problem, ...]]:
    """Return the topology of an inventory, and the warnings and placeholders in it.

    Args:
        raw: The inventory, as Ansible reads it.
        reference: What it is held to.
        process_environment: For ``lookup('env', …)``.
        machine_memory: Bytes of memory by place (:attr:`Host.place`), where that is known.
        machine_names: What machines call themselves (``uname -n``), by place, where that is known.

    Raises:
        InventoryError: it breaks a rule; all problems at once.
    """
    cluster, unresolved = resolve_cluster(raw, reference, process_environment, machine_memory or {})
    problems = [*raw.warnings, *unresolved]
    for module in pkgutil.iter_modules(rules.__path__):
        rule = cast("Rule", importlib.import_module(f"{rules.__name__}.{module.name}"))
        problems += _said(rule, cluster)
    if not any(problem.severity == "error" for problem in problems):
        problems += _broken_defaults(cluster)
    strict = any(host.values.get("rocketmq_strict") is True for host in cluster.members)
    problems = _collapsed([_strict(problem) if strict else problem for problem in problems])
    if any(problem.severity == "error" for problem in problems):
        raise InventoryError(problems)
    return _topology(cluster, machine_names or {}), tuple(problems)


def _said(rule: Rule, cluster: Cluster) -> Iterable[Problem]:
    """Return what a rule says, but nothing where it looked for what could not be resolved.

    That is told already, and a rule compares hosts: what it has not seen of one may be wrong of all.
    """
    for host in cluster.hosts.values():
        host.values.missed = False
    said = list(rule.check(cluster))
    return () if any(host.values.missed for host in cluster.hosts.values()) else said


def resolve_cluster(
    raw: RawInventory,
    reference: Reference,
    process_environment: Mapping[str, str],
    machine_memory: Mapping[str, int],
) -> tuple[Cluster, list[Problem]]:
    """Return an inventory with its variables resolved, and a problem for each that cannot be."""
    problems: list[Problem] = []
    numbers = {name for name, setting in reference.schema.settings.items() if setting.type == "int"}
    scopes = resolve(raw, reference.schema.defaults, process_environment, numbers)
    hosts: dict[str, InventoryHost] = {}
    for name, raw_host in raw.hosts.items():
        values = Values()
        host = InventoryHost(raw_host, scopes[name], values, raw.path)
        hosts[name] = host
        for key in (*_CONNECTION_KEYS, *reference.schema.settings):
            if key not in scopes[name]:
                continue
            try:
                values[key] = scopes[name][key]
            except Unresolvable as error:
                values.unresolved.add(key)
                if key in raw_host.variables:
                    remedy = "Define what it uses, or write the value itself"
                    problems.append(host.problem(key, str(error), remedy, found=raw_host.variables[key]))
    cluster = Cluster(raw, reference, hosts, machine_memory)
    of_clients = {(host.name, key) for host in cluster.clients for key in (*_CONNECTION_KEYS, *CLIENT_KEYS)}
    members = {host.name for host in cluster.members}
    return cluster, [
        problem for problem in problems if problem.host in members or (problem.host, problem.key) in of_clients
    ]


def _broken_defaults(cluster: Cluster) -> Iterator[Problem]:
    """Yield the defaults that do not resolve although all that the inventory sets does."""
    for host in cluster.members:
        for key in cluster.reference.schema.settings:
            if key in host.scope and key not in host.values:
                try:
                    host.scope[key]
                except Unresolvable as error:
                    yield host.problem(key, f"has a default that {error}", "Set it in the inventory")


def _strict(problem: Problem) -> Problem:
    return replace(problem, severity="error") if problem.severity == "warning" else problem


def _collapsed(problems: Sequence[Problem]) -> list[Problem]:
    """Return the problems in the order of their places; what one line does to several hosts is said once."""
    hosts: dict[Problem, list[str]] = {}
    for problem in problems:
        names = hosts.setdefault(replace(problem, host=None), [])
        if problem.host is not None and problem.host not in names:
            names.append(problem.host)
    collapsed = [replace(problem, host=_listed(names)) for problem, names in hosts.items()]
    return sorted(collapsed, key=_place)


def _listed(names: Sequence[str]) -> str | None:
    if len(names) <= _NAMED_HOSTS:
        return ", ".join(names) or None
    return f"{', '.join(names[:_NAMED_HOSTS])} and {len(names) - _NAMED_HOSTS} more"


def _place(problem: Problem) -> tuple[str, int, str, str, str]:
    file, _, line = problem.file.rpartition(":")
    if not line.isdecimal():
        file, line = problem.file, "0"
    return file, int(line), problem.host or "", problem.key or "", problem.message


def _topology(cluster: Cluster, machine_names: Mapping[str, str]) -> Topology:
    first = cluster.members[0]
    names = {name: _broker_name(name, members, machine_names) for name, members in cluster.groups.items()}
    return Topology(
        cluster=first.text("rocketmq_cluster"),
        version=first.text("rocketmq_version"),
        patches=patch_choice.read(first.values[patch_choice.KEY]),
        inventory=cluster.raw.path,
        sources=cluster.raw.sources,
        nameservers=tuple(_instance(host, None) for host in cluster.nameservers),
        groups=tuple(
            Group(
                names[name],
                cast("Mode", members[0].text("rocketmq_mode")),
                tuple(_instance(host, names[name]) for host in members),
            )
            for name, members in cluster.groups.items()
        ),
        drillable=all(host.values["rocketmq_drillable"] is True for host in cluster.members),
        clients=tuple(Client(host.name, host.machine, _connection(host), host.scope) for host in cluster.clients),
    )


def _broker_name(name: str, members: Sequence[InventoryHost], machine_names: Mapping[str, str]) -> str:
    """Return a group's ``brokerName``; a minimal broker.p has none, and RocketMQ takes its machine's name."""
    minimal = members[0].values.get("rocketmq_minimal_config") is True
    return machine_names.get(members[0].place, name) if minimal else name


def _connection(host: InventoryHost) -> Literal["local", "ssh"]:
    return "local" if host.place == LOCAL else "ssh"


def _instance(host: InventoryHost, group: str | None) -> Instance:
    return Instance(
        name=host.name,
        kind=host.kind,
        group=group,
        host=host.machine,
        connection=_connection(host),
        variables=host.scope,
    )
