"""PURE. Which instance runs on which host of a lab, and the inventory that says so.

With fewer than six hosts the first ones carry a NameServer and a broker each; from six on, three are NameServers
and the others form broker groups. What is left over is in the group ``clients``, and so are hosts that were asked
for as such.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import yaml

from rmqops.errors import UsageError
from rmqops.model.releases import DEFAULT_VERSION, RELEASES
from rmqops.model.topology import DLEDGER_GROUP_SIZE, Kind, Value

LabMode = Literal["dledger", "master-slave"]

NAMESERVERS: Final = 3
PAIR: Final = 2
"""A master and a slave."""
FEWEST: Final = 3
MOST: Final = 200
"""Of hosts; their addresses are the last byte of a /24 network, from :data:`FIRST_ADDRESS` on."""
FIRST_ADDRESS: Final = 11
MOST_CLIENTS: Final = 40
FIRST_CLIENT: Final = FIRST_ADDRESS + MOST
"""Clients are counted on their own, so that no address changes when hosts are added."""
USER: Final = "ops"
"""Who logs in; the image has it."""


@dataclass(frozen=True)
class LabRequest:
    """What ``lab up`` was asked for."""

    name: str = "lab"
    hosts: int = 6
    mode: LabMode = "dledger"
    version: str = DEFAULT_VERSION
    groups: int | None = None
    """Broker groups; as many as the hosts bear when None."""
    sudo_password: bool = False
    """Whether ``sudo`` asks for a password, as on most production hosts."""
    kernel_settings: bool = False
    """Whether hosts may write kernel settings, most of which are their machine's."""
    clients: int = 0
    """Hosts besides, which carry no instance."""

    @property
    def carriers(self) -> tuple[str, ...]:
        """The names of the hosts that instances are placed on."""
        return tuple(f"{self.name}-{number}" for number in range(1, self.hosts + 1))

    @property
    def bare(self) -> tuple[str, ...]:
        """The names of the hosts besides."""
        return tuple(f"{self.name}-c{number}" for number in range(1, self.clients + 1))

    @property
    def names(self) -> tuple[str, ...]:
        """All hosts' names."""
        return self.carriers + self.bare


@dataclass(frozen=True)
class PlacedInstance:
    """One inventory host: an instance, or a client, and the lab's host that it is on."""

    name: str
    kind: Kind | Literal["client"]
    host: str
    group: str | None = None
    number: int = 0
    """Of a member in its group."""


def check(wanted: LabRequest) -> None:
    """Hold the wish to what a lab and a release can be.

    Raises:
        UsageError: it cannot be.
    """
    if not FEWEST <= wanted.hosts <= MOST:
        raise UsageError(f"a lab has {FEWEST} to {MOST} hosts, not {wanted.hosts}", remedy="give --hosts 6")
    if not 0 <= wanted.clients <= MOST_CLIENTS:
        raise UsageError(f"a lab has 0 to {MOST_CLIENTS} clients, not {wanted.clients}", remedy="give --clients 1")
    if wanted.version not in RELEASES:
        known = ", ".join(RELEASES)
        raise UsageError(f"there is no release {wanted.version} that rmqops knows", remedy=f"use one of {known}")
    if wanted.mode not in RELEASES[wanted.version].modes:
        raise UsageError(f"RocketMQ {wanted.version} has no DLedger", remedy="give --mode master-slave")
    room = _room(wanted)
    if wanted.groups is not None and not 1 <= wanted.groups <= room:
        size = _size(wanted.mode)
        raise UsageError(
            f"{wanted.hosts} hosts bear 1 to {room} groups of mode {wanted.mode}, not {wanted.groups}",
            remedy=f"each group takes {size} hosts beside the {NAMESERVERS} NameServers'",
        )


def _size(mode: LabMode) -> int:
    return DLEDGER_GROUP_SIZE if mode == "dledger" else PAIR


def _apart(request: LabRequest) -> bool:
    """Whether NameServers and brokers have hosts of their own."""
    return request.hosts >= NAMESERVERS + _size(request.mode)


def _room(request: LabRequest) -> int:
    return (request.hosts - NAMESERVERS) // _size(request.mode) if _apart(request) else 1


def place(request: LabRequest) -> tuple[PlacedInstance, ...]:
    """Return every inventory host and where it is.

    Raises:
        UsageError: the hosts do not bear what is asked for.
    """
    check(request)
    hosts = request.carriers
    placed = [PlacedInstance(f"namesrv-{number + 1}", "namesrv", hosts[number]) for number in range(NAMESERVERS)]
    free = list(hosts[NAMESERVERS:] if _apart(request) else hosts)
    for index in range(request.groups or _room(request)):
        group = f"broker-{letters(index)}"
        placed += [
            PlacedInstance(f"{group}-{number}", "broker", free.pop(0), group, number)
            for number in range(_size(request.mode))
        ]
    carrying = {each.host for each in placed}
    left = [host for host in request.names if host not in carrying]
    return (*placed, *(PlacedInstance(f"client-{number}", "client", host) for number, host in enumerate(left, 1)))


def letters(index: int) -> str:
    """Return ``a`` … ``z``, ``aa``, ``ab`` … for 0, 1, 2 …."""
    rest, last = divmod(index, 26)
    return (letters(rest - 1) if rest else "") + chr(ord("a") + last)


@dataclass(frozen=True)
class Access:
    """How the hosts are reached."""

    addresses: dict[str, str]
    """Of each host."""
    key: Path
    known_hosts: Path

    @property
    def options(self) -> tuple[str, ...]:
        """Options of ssh: only this lab's key, only this lab's host keys, and nobody is asked anything."""
        return (
            "-o",
            f"UserKnownHostsFile={self.known_hosts}",
            "-o",
            "GlobalKnownHostsFile=/dev/null",
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "ConnectTimeout=60",  # all hosts' logins share the processors of one machine
        )

    def ssh(self, host: str, *command: str) -> tuple[str, ...]:
        """Return the command line that logs in to a host, whatever the user's own ssh configuration says."""
        login = ("ssh", "-F", "none", "-i", str(self.key), *self.options, f"{USER}@{self.addresses[host]}")
        return (*login, "--", shlex.join(command)) if command else login


def inventory(request: LabRequest, access: Access) -> str:
    """Return the inventory of a lab as YAML."""
    placed = place(request)
    children: dict[str, Value] = {
        "namesrv": {
            "vars": {"rocketmq_heap": "128m"},
            "hosts": {each.name: _host(each, access) for each in placed if each.kind == "namesrv"},
        },
        "brokers": {"vars": _broker_variables(request), "children": _groups(request, placed, access)},
    }
    clients: dict[str, Value] = {each.name: _host(each, access) for each in placed if each.kind == "client"}
    if clients:
        children["clients"] = {"hosts": clients}
    document = {"all": {"vars": _variables(request, access), "children": children}}
    return yaml.safe_dump(document, sort_keys=False, width=1000)


def _variables(request: LabRequest, access: Access) -> dict[str, Value]:
    return {
        "ansible_user": USER,
        "ansible_become": True,
        "ansible_ssh_private_key_file": str(access.key),
        "ansible_ssh_common_args": shlex.join(access.options),
        "ansible_python_interpreter": "/usr/bin/python3",
        "rocketmq_cluster": request.name,
        "rocketmq_version": request.version,
        "rocketmq_supervisor": "systemd",
        "rocketmq_java": "bundled",
        "rocketmq_drillable": True,
        "rocketmq_base_dir": "/opt/rocketmq",
    }


def _broker_variables(wanted: LabRequest) -> dict[str, Value]:
    release = RELEASES[wanted.version]
    return {
        "rocketmq_mode": wanted.mode,
        "rocketmq_heap": "512m",
        "rocketmq_direct_memory": "512m",
        "rocketmq_config": {
            # Small files, as in inventory/local.
            release.commit_log_size_key: 67108864,
            release.queue_size_key: 600000,
        },
    }


def _groups(request: LabRequest, placed: Sequence[PlacedInstance], access: Access) -> dict[str, Value]:
    groups: dict[str, Value] = {}
    for name in dict.fromkeys(each.group for each in placed if each.group):
        members: dict[str, Value] = {
            each.name: _host(each, access)
            | (
                {"rocketmq_dledger_id": f"n{each.number}"}
                if request.mode == "dledger"
                else {"rocketmq_broker_id": each.number}
            )
            for each in placed
            if each.group == name
        }
        groups[name] = {"hosts": members}
    return groups


def _host(placed: PlacedInstance, access: Access) -> dict[str, Value]:
    return {"ansible_host": access.addresses[placed.host]}
