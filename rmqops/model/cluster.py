"""From an inventory to a topology: resolve, hold it to every rule, and only then build.

The rules are the modules of :mod:`rmqops.model.rules`; each yields every problem it finds, so that an operator
sees all of them at once.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol, cast

from rmqops.errors import InventoryError, Problem
from rmqops.model import inventory, rules
from rmqops.model.inventory import RawHost, RawInventory
from rmqops.model.schema import Schema
from rmqops.model.topology import Group, Instance, Mode, Topology, Value
from rmqops.model.variables import Unresolvable, resolve

_CONNECTION_KEYS = ("ansible_host", "ansible_connection", "ansible_port", "ansible_user")


@dataclass(frozen=True)
class Host:
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
    def is_namesrv(self) -> bool:
        """Whether it is in the group ``namesrv``."""
        return "namesrv" in self.raw.groups

    @property
    def machine(self) -> str:
        """Where it runs: ``ansible_host``, else its name, as in Ansible."""
        return str(self.values.get("ansible_host") or self.name)

    def problem(
        self,
        key: str | None,
        message: str,
        remedy: str,
        *,
        found: object = None,
        severity: Literal["error", "warning"] = "error",
    ) -> Problem:
        """Return a problem of this host that names the file and line where ``key`` was set."""
        origin = self.raw.origins.get(key) if key else None
        shown = self.values.get(key) if found is None and key else found
        return Problem(
            str(origin) if origin else self.inventory,
            self.name,
            key,
            "" if shown is None else str(shown),
            message,
            remedy,
            severity,
        )


@dataclass(frozen=True)
class Cluster:
    """A resolved inventory, before it has been found good."""

    raw: RawInventory
    schema: Schema
    hosts: Mapping[str, Host]

    @property
    def nameservers(self) -> tuple[Host, ...]:
        """The hosts of the group ``namesrv``."""
        return tuple(self.hosts[name] for name in self.raw.groups.get("namesrv", ()))

    @property
    def groups(self) -> Mapping[str, tuple[Host, ...]]:
        """The hosts of each child group of ``brokers``."""
        children = self.raw.children.get("brokers", ())
        return {child: tuple(self.hosts[name] for name in self.raw.groups.get(child, ())) for child in children}

    @property
    def brokers(self) -> tuple[Host, ...]:
        """The hosts of every broker group."""
        return tuple(host for members in self.groups.values() for host in members)

    @property
    def members(self) -> tuple[Host, ...]:
        """Every instance."""
        return self.nameservers + self.brokers


class Rule(Protocol):
    """A module of :mod:`rmqops.model.rules`."""

    def check(self, cluster: Cluster) -> Iterator[Problem]:
        """Yield everything in the cluster that breaks this rule."""


def load(
    path: str, files: Mapping[str, str], schema: Schema, process_environment: Mapping[str, str]
) -> tuple[Topology, tuple[Problem, ...]]:
    """Return the topology of an inventory, and the warnings about it.

    Raises:
        InventoryError: it breaks a rule; all problems at once.
    """
    raw = inventory.parse(path, files)
    cluster, problems = _resolved(raw, schema, process_environment)
    if not problems:
        for found in pkgutil.iter_modules(rules.__path__):
            rule = cast("Rule", importlib.import_module(f"{rules.__name__}.{found.name}"))
            problems += rule.check(cluster)
    strict = any(host.values.get("rocketmq_strict") is True for host in cluster.hosts.values())
    problems = [replace(problem, severity="error") if strict else problem for problem in problems]
    if any(problem.severity == "error" for problem in problems):
        raise InventoryError(sorted(set(problems), key=str))
    return _topology(cluster), tuple(problems)


def _resolved(
    raw: RawInventory, schema: Schema, process_environment: Mapping[str, str]
) -> tuple[Cluster, list[Problem]]:
    problems: list[Problem] = []
    scopes = resolve(raw, schema.defaults, process_environment)
    hosts: dict[str, Host] = {}
    for name, raw_host in raw.hosts.items():
        values: dict[str, Value] = {}
        host = Host(raw_host, scopes[name], values, raw.path)
        hosts[name] = host
        for key in (*_CONNECTION_KEYS, *schema.settings):
            if key not in scopes[name]:
                continue
            try:
                values[key] = scopes[name][key]
            except Unresolvable as error:
                remedy = "Define what it uses, or write the value itself"
                problems.append(host.problem(key, str(error), remedy, found=raw_host.variables.get(key)))
    return Cluster(raw, schema, hosts), problems


def _topology(cluster: Cluster) -> Topology:
    first = cluster.members[0]
    return Topology(
        cluster=str(first.values["rocketmq_cluster"]),
        version=str(first.values["rocketmq_version"]),
        inventory=cluster.raw.path,
        nameservers=tuple(_instance(host, None) for host in cluster.nameservers),
        groups=tuple(
            Group(
                name,
                cast("Mode", members[0].values["rocketmq_mode"]),
                tuple(_instance(host, name) for host in members),
            )
            for name, members in cluster.groups.items()
        ),
        drillable=all(host.values["rocketmq_drillable"] is True for host in cluster.members),
    )


def _instance(host: Host, group: str | None) -> Instance:
    return Instance(
        name=host.name,
        kind="broker" if group else "namesrv",
        group=group,
        host=host.machine,
        connection="local" if host.values.get("ansible_connection") == "local" else "ssh",
        variables=host.scope,
    )
