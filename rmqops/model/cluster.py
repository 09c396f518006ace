"""From an inventory to a topology: resolve, hold it to every rule, and only then build.

The rules are the modules of :mod:`rmqops.model.rules`; each yields every problem it finds, so that an operator
sees all of them at once. A rule meets inventories that break other rules: it passes over values that are missing
or of the wrong type, which other rules report.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol, cast

from rmqops.errors import InventoryError, Problem, Severity
from rmqops.model import inventory, rules
from rmqops.model.config_keys import ConfigKeys
from rmqops.model.inventory import RawHost, RawInventory
from rmqops.model.schema import Schema
from rmqops.model.topology import Client, Group, Instance, Kind, Mode, Topology, Value
from rmqops.model.variables import Unresolvable, resolve

LOCAL: Final = "localhost"
"""The place of every instance with ``ansible_connection: local``."""

_CONNECTION_KEYS: Final = ("ansible_host", "ansible_connection", "ansible_port", "ansible_user")
CLIENTS: Final = "clients"
"""The group of hosts that run none of ours, and that a drill's load may run on."""
CLIENT_KEYS: Final = ("rocketmq_base_dir", "rocketmq_java", "rocketmq_java_home")
"""The variables of ours that such a host has a use for."""
_NAMED_HOSTS: Final = 3
"""Hosts named in one problem; more are counted."""


@dataclass(frozen=True)
class Reference:
    """What every inventory is held to."""

    schema: Schema
    config_keys: ConfigKeys


@dataclass(frozen=True)
class InventoryHost:
    """One inventory host with its known variables resolved."""

    raw: RawHost
    scope: Mapping[str, Value]
    """Every variable, each resolved when it is asked for; the renderer's context."""
    values: Mapping[str, Value]
    """The variables of the schema, resolved."""
    inventory: str

    @property
    def name(self) -> str:
        """The inventory host's name."""
        return self.raw.name

    @property
    def kind(self) -> Kind:
        """A NameServer when it is in the group ``namesrv``, else a broker."""
        return "namesrv" if "namesrv" in self.raw.groups else "broker"

    @property
    def machine(self) -> str:
        """Where it runs: ``ansible_host``, else its name, as in Ansible."""
        return self.text("ansible_host") or self.name

    @property
    def place(self) -> str:
        """The machine as far as ports, directories and memory go.

        Every local instance is on this one whatever its ``ansible_host``; one address with several ssh ports is
        several machines (containers).
        """
        if self.text("ansible_connection") == "local":
            return LOCAL
        port = self.text("ansible_port")
        return f"{self.machine} (ssh port {port})" if port not in {"", "22"} else self.machine

    def text(self, key: str) -> str:
        """Return a variable as text; empty when it is missing or is no single value."""
        value = self.values.get(key)
        return "" if value is None or isinstance(value, list | dict) else str(value)

    def number(self, key: str) -> int | None:
        """Return a variable as a whole number; None when it is missing or is none."""
        text = self.text(key)
        return int(text) if is_whole(text) else None

    def problem(
        self,
        key: str | None,
        message: str,
        remedy: str,
        *,
        found: object = None,
        severity: Severity = "error",
    ) -> Problem:
        """Return a problem of this host that names the file and line where ``key`` was set.

        A key of a mapping is written ``variable.key``.
        """
        origin = self.raw.origins.get(key) if key else None
        shown = self.values.get(key) if found is None and key else found
        place = str(origin) if origin else self.inventory
        return Problem(place, self.name, key, "" if shown is None else str(shown), message, remedy, severity)


def is_whole(text: str) -> bool:
    """Tell whether a text is a whole number of at most 18 digits, and so one that needs no care."""
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdecimal() and len(digits) <= 18


@dataclass(frozen=True)
class Cluster:
    """A resolved inventory, before it has been found good."""

    raw: RawInventory
    reference: Reference
    hosts: Mapping[str, InventoryHost]
    """Every host of the inventory, also one that is neither NameServer nor broker."""
    machine_memory: Mapping[str, int]
    """Bytes of memory by place, of the machines where that is known."""

    @property
    def nameservers(self) -> tuple[InventoryHost, ...]:
        """The hosts of the group ``namesrv``."""
        return tuple(self.hosts[name] for name in self.raw.groups.get("namesrv", ()))

    @property
    def groups(self) -> Mapping[str, tuple[InventoryHost, ...]]:
        """The hosts of each child group of ``brokers``."""
        children = self.raw.children.get("brokers", ())
        return {child: tuple(self.hosts[name] for name in self.raw.groups.get(child, ())) for child in children}

    @property
    def brokers(self) -> tuple[InventoryHost, ...]:
        """The hosts of the group ``brokers``, those in no child group included."""
        return tuple(self.hosts[name] for name in self.raw.groups.get("brokers", ()))

    @property
    def clients(self) -> tuple[InventoryHost, ...]:
        """The hosts of the group ``clients``."""
        return tuple(self.hosts[name] for name in self.raw.groups.get(CLIENTS, ()))

    @property
    def members(self) -> tuple[InventoryHost, ...]:
        """Every instance, once."""
        return tuple({host.name: host for host in self.nameservers + self.brokers}.values())

    @property
    def places(self) -> Mapping[str, tuple[InventoryHost, ...]]:
        """The instances of each machine."""
        found: dict[str, tuple[InventoryHost, ...]] = {}
        for host in self.members:
            found[host.place] = (*found.get(host.place, ()), host)
        return found

    def problem(
        self, name: str | None, message: str, remedy: str, *, found: object = None, severity: Severity = "error"
    ) -> Problem:
        """Return a problem of a group or of the inventory as a whole."""
        origin = self.raw.places.get(name) if name else None
        shown = "" if found is None else str(found)
        return Problem(str(origin or self.raw.path), None, name, shown, message, remedy, severity)


class Rule(Protocol):
    """A module of :mod:`rmqops.model.rules`."""

    def check(self, cluster: Cluster) -> Iterator[Problem]:
        """Yield everything in the cluster that breaks this rule."""


def load(
    path: str,
    files: Mapping[str, str],
    reference: Reference,
    process_environment: Mapping[str, str],
    *,
    directory: str | None = None,
    machine_memory: Mapping[str, int] | None = None,
    machine_names: Mapping[str, str] | None = None,
) -> tuple[Topology, tuple[Problem, ...]]:
    """Return the topology of an inventory, and the warnings and placeholders in it.

    Args:
        path: The inventory as the user named it.
        files: The text of each of its files by path.
        reference: What it is held to.
        process_environment: For ``lookup('env', …)``.
        directory: Ansible's ``inventory_dir``.
        machine_memory: Bytes of memory by place (:attr:`Host.place`), where that is known.
        machine_names: What machines call themselves (``uname -n``), by place, where that is known.

    Raises:
        InventoryError: it breaks a rule; all problems at once.
    """
    raw = inventory.parse(path, files, directory)
    cluster, unresolved = resolved(raw, reference, process_environment, machine_memory or {})
    problems = [*raw.warnings, *unresolved]
    for found in pkgutil.iter_modules(rules.__path__):
        rule = cast("Rule", importlib.import_module(f"{rules.__name__}.{found.name}"))
        problems += rule.check(cluster)
    if not any(problem.severity == "error" for problem in problems):
        problems += _broken_defaults(cluster)
    strict = any(host.values.get("rocketmq_strict") is True for host in cluster.members)
    problems = _collapsed([_strict(problem) if strict else problem for problem in problems])
    if any(problem.severity == "error" for problem in problems):
        raise InventoryError(problems)
    return _topology(cluster, machine_names or {}), tuple(problems)


def resolved(
    raw: RawInventory,
    reference: Reference,
    process_environment: Mapping[str, str],
    machine_memory: Mapping[str, int],
) -> tuple[Cluster, list[Problem]]:
    """Return an inventory with its variables resolved, and a problem for each that cannot be."""
    problems: list[Problem] = []
    scopes = resolve(raw, reference.schema.defaults, process_environment)
    hosts: dict[str, InventoryHost] = {}
    for name, raw_host in raw.hosts.items():
        values: dict[str, Value] = {}
        host = InventoryHost(raw_host, scopes[name], values, raw.path)
        hosts[name] = host
        for key in (*_CONNECTION_KEYS, *reference.schema.settings):
            if key not in scopes[name]:
                continue
            try:
                values[key] = scopes[name][key]
            except Unresolvable as error:
                if key in raw_host.variables:
                    remedy = "Define what it uses, or write the value itself"
                    problems.append(host.problem(key, str(error), remedy, found=raw_host.variables[key]))
    cluster = Cluster(raw, reference, hosts, machine_memory)
    judged = {(host.name, key) for host in cluster.clients for key in (*_CONNECTION_KEYS, *CLIENT_KEYS)}
    members = {host.name for host in cluster.members}
    return cluster, [one for one in problems if one.host in members or (one.host, one.key) in judged]


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
    found = [replace(problem, host=_listed(names)) for problem, names in hosts.items()]
    return sorted(found, key=_place)


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
        inventory=cluster.raw.path,
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
