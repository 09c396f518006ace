"""A cluster as its inventory describes it, resolved but not yet found good: what the rules look at.

The rules are the modules of :mod:`rmqops.model.rules`; each yields every problem it finds, so that an operator
sees all of them at once. A rule meets inventories that break other rules: it passes over values that are missing
or of the wrong type, which other rules report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from rmqops.errors import Problem, Severity
from rmqops.model import connection_variables
from rmqops.model.ansible import is_whole
from rmqops.model.config_checks import ConfigChecks
from rmqops.model.config_keys import ConfigKeys
from rmqops.model.inventory import RawHost, RawInventory
from rmqops.model.patch_choice import KnownPatch
from rmqops.model.schema import Schema
from rmqops.model.topology import Kind, Value

LOCAL: Final = "localhost"
"""The place of every instance with ``ansible_connection: local``."""

CLIENTS: Final = "clients"
"""The group of hosts that run none of ours, and that a drill's load may run on."""
CLIENT_KEYS: Final = ("rocketmq_base_dir", "rocketmq_java", "rocketmq_java_home")
"""The variables of ours that such a host has a use for."""


@dataclass(frozen=True)
class Reference:
    """What every inventory is held to."""

    schema: Schema
    config_keys: ConfigKeys
    config_checks: ConfigChecks
    patches: Mapping[str, KnownPatch]
    """Every patch of ours by its name."""


class Values(dict[str, Value]):
    """The variables of the schema that could be resolved; it knows whether somebody looked for one that could not.

    A rule that did has seen nothing where there is something, and what it says may be wrong.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unresolved: set[str] = set()
        self.missed = False

    def get(self, key: str, default: Value = None) -> Value:  # type: ignore[override]
        """Return a variable, or the default; what could not be resolved is missed."""
        self.missed |= key in self.unresolved
        return super().get(key, default)


@dataclass(frozen=True)
class InventoryHost:
    """One inventory host with its known variables resolved."""

    raw: RawHost
    scope: Mapping[str, Value]
    """Every variable, each resolved when it is asked for; the renderer's context."""
    values: Values
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
        """Where it runs: ``ansible_ssh_host``, ``ansible_host``, else its name, as in Ansible."""
        return self.text(self.setting("ansible_host")) or self.name

    @property
    def place(self) -> str:
        """The machine as far as ports, directories and memory go.

        Every local instance is on this one whatever its ``ansible_host``; one address with several ssh ports is
        several machines (containers).
        """
        if self.text("ansible_connection") == "local":
            return LOCAL
        port = self.text(self.setting("ansible_port"))
        return f"{self.machine} (ssh port {port})" if port not in {"", "22"} else self.machine

    def setting(self, name: str) -> str:
        """Return which variable says a setting of the connection: itself, or one of its other names."""
        return connection_variables.deciding(name, self.raw.variables)

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
        text = self.values.get(key) if found is None and key else found
        place = str(origin) if origin else self.inventory
        return Problem(place, self.name, key, "" if text is None else str(text), message, remedy, severity)


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
        hosts: dict[str, tuple[InventoryHost, ...]] = {}
        for host in self.members:
            hosts[host.place] = (*hosts.get(host.place, ()), host)
        return hosts

    def problem(
        self, name: str | None, message: str, remedy: str, *, found: object = None, severity: Severity = "error"
    ) -> Problem:
        """Return a problem of a group or of the inventory as a whole."""
        origin = self.raw.places.get(name) if name else None
        text = "" if found is None else str(found)
        return Problem(str(origin or self.raw.path), None, name, text, message, remedy, severity)


class Rule(Protocol):
    """A module of :mod:`rmqops.model.rules`."""

    def check(self, cluster: Cluster) -> Iterator[Problem]:
        """Yield everything in the cluster that breaks this rule."""
