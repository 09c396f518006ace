"""What a cluster is: instances, groups, and where each one lives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from rmqops.errors import UsageError
from rmqops.model import connection_variables
from rmqops.model.patch_choice import PatchChoice

Kind = Literal["namesrv", "broker"]
Mode = Literal["dledger", "master-slave", "single"]
Supervisor = Literal["detached", "systemd", "systemd-user"]
Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]
"""A resolved inventory variable."""

DLEDGER_GROUP_SIZE = 3
"""Members of a group; DLedger loses its majority with two of three dead."""


@dataclass(frozen=True)
class Instance:
    """One process: a NameServer or a broker. In Ansible's words, an inventory host."""

    name: str
    kind: Kind
    group: str | None
    """The broker group (RocketMQ's ``brokerName``); ``None`` for a NameServer."""
    host: str
    """Where commands run: ``ansible_host``."""
    connection: Literal["local", "ssh"]
    variables: Mapping[str, Value] = field(repr=False)
    """Every variable of the inventory host and every default of the role, resolved."""

    def text(self, key: str) -> str:
        """Return a variable as text; validation has made sure that it is there."""
        return str(self.variables[key])

    def number(self, key: str) -> int:
        """Return a variable as a whole number."""
        return int(self.text(key))

    @property
    def machine(self) -> str:
        """Where it runs, told apart: this machine, a host, or ``host:port`` where ssh has a port of its own."""
        return _machine(self)

    @property
    def ip(self) -> str:
        """The address that clients and peers use (``brokerIP1``)."""
        return self.text("rocketmq_address")

    @property
    def port(self) -> int:
        """The port that clients use."""
        return self.number("rocketmq_listen_port")

    @property
    def address(self) -> str:
        """``ip:port``, as it stands in the route."""
        return f"{self.ip}:{self.port}"

    @property
    def home(self) -> str:
        """The instance's directory on its host."""
        return self.text("rocketmq_instance_dir")

    @property
    def service_user(self) -> str:
        """The user that its process runs as, who may write its data and logs; empty where that is who deploys."""
        return self.text("rocketmq_user") if self.supervisor == "systemd" else ""

    @property
    def bundles_java(self) -> bool:
        """Whether it runs on the Java that travels with the release."""
        return self.variables["rocketmq_java"] == "bundled"

    @property
    def supervisor(self) -> Supervisor:
        """What keeps the process."""
        return cast("Supervisor", self.text("rocketmq_supervisor"))


@dataclass(frozen=True)
class Client:
    """A host of the group ``clients``: none of our instances runs there; a drill's load may."""

    name: str
    host: str
    """Where commands run: ``ansible_host``."""
    connection: Literal["local", "ssh"]
    variables: Mapping[str, Value] = field(repr=False)
    """Every variable of the inventory host and every default of the role, resolved."""

    def text(self, key: str) -> str:
        """Return a variable as text; validation has made sure of those that a client has a use for."""
        return str(self.variables[key])

    @property
    def machine(self) -> str:
        """Where it is, told apart as for an instance."""
        return _machine(self)


Reachable = Instance | Client
"""What a transport leads to."""


def _machine(target: Reachable) -> str:
    if target.connection == "local":
        return "localhost"
    port = ssh_port(target)
    return target.host if port == "22" else f"{target.host}:{port}"


def ssh_port(target: Reachable) -> str:
    """Return the port of a host's sshd, as far as the inventory says."""
    key = connection_variables.deciding("ansible_port", target.variables)
    return str(target.variables.get(key) or 22)


@dataclass(frozen=True)
class Group:
    """Brokers that hold the same messages."""

    name: str
    mode: Mode
    members: tuple[Instance, ...]


@dataclass(frozen=True)
class Topology:
    """A whole cluster, as one inventory describes it."""

    cluster: str
    version: str
    inventory: str
    """The inventory as it is named after ``--inventory``; with several, ``a --inventory b``."""
    nameservers: tuple[Instance, ...]
    groups: tuple[Group, ...]
    drillable: bool
    """Whether drills may run without the cluster's name typed in."""
    clients: tuple[Client, ...] = ()
    """Hosts that a drill's load may run on; no part of the cluster."""
    patches: PatchChoice = field(default=PatchChoice())
    """What the release is built with."""
    sources: tuple[str, ...] = ()
    """What Ansible is given as inventories, one an ``-i``: paths, and lists of hosts with a comma."""

    @property
    def brokers(self) -> tuple[Instance, ...]:
        """Every broker of every group."""
        return tuple(member for group in self.groups for member in group.members)

    @property
    def instances(self) -> tuple[Instance, ...]:
        """Every instance, in the order of a start: NameServers first."""
        return self.nameservers + self.brokers

    def instance(self, name: str) -> Instance:
        """Return the instance of that name.

        Raises:
            KeyError: there is none.
        """
        for candidate in self.instances:
            if candidate.name == name:
                return candidate
        raise KeyError(name)

    def select(self, names: Sequence[str]) -> tuple[Instance, ...]:
        """Return the instances of those names or groups; all when there is none.

        Raises:
            UsageError: a name is neither an instance nor a group.
        """
        groups = {group.name: group.members for group in self.groups}
        groups["namesrv"] = self.nameservers
        selected: dict[str, Instance] = {}
        for name in names:
            members = groups.get(name) or tuple(item for item in self.instances if item.name == name)
            if not members:
                known = ", ".join([*groups, *(item.name for item in self.instances)])
                raise UsageError(f"{self.inventory} has no instance or group {name}", remedy=f"it has {known}")
            selected |= {member.name: member for member in members}
        return tuple(item for item in self.instances if item.name in selected) if names else self.instances

    def at(self, address: str) -> Instance | None:
        """Return the broker that is registered as ``address``, if the inventory has it."""
        return next((broker for broker in self.brokers if broker.address == address), None)
