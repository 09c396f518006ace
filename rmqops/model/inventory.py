"""An inventory as ``ansible-inventory --list`` tells it: hosts, groups and merged variables. PURE.

Ansible alone decides what an inventory says. What it does not tell, file and line of a value, is found by
:mod:`rmqops.model.inventory_places`, for messages only.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from rmqops.errors import Problem
from rmqops.model.inventory_places import HostPlaces, Places
from rmqops.model.topology import Value
from rmqops.model.yamltext import Opaque, Origin, Verbatim

_META: Final = "_meta"
_ALL: Final = "all"
_VAULTED: Final = "__ansible_vault"
_UNSAFE: Final = "__ansible_unsafe"


@dataclass(frozen=True)
class RawHost:
    """A host with its merged variables; templates are not resolved yet."""

    name: str
    groups: tuple[str, ...]
    """Every group it is in, ``all`` excluded, sorted: Ansible's ``group_names``."""
    variables: Mapping[str, Value]
    origins: Mapping[str, Origin]
    """Where each variable was set, and as ``variable.key`` each key of a mapping, as far as that can be found."""
    directory: str | None
    """Ansible's ``inventory_dir``; None where it is not known which of several it is."""


@dataclass(frozen=True)
class RawInventory:
    """An inventory, merged; templates are not resolved yet."""

    sources: tuple[str, ...]
    """What was named, in that order: paths, and lists of hosts with a comma."""
    hosts: Mapping[str, RawHost]
    groups: Mapping[str, tuple[str, ...]]
    """Hosts of each group, those of its child groups included, in Ansible's order."""
    children: Mapping[str, tuple[str, ...]]
    """Child groups of each group."""
    places: Mapping[str, Origin]
    """Where each group and each host first stands, as far as that can be found."""
    warnings: tuple[Problem, ...]

    @property
    def path(self) -> str:
        """The inventory as it is named after ``--inventory``."""
        return named(self.sources)


def named(sources: Sequence[str]) -> str:
    """Return inventories as they are named after ``--inventory`` on a command line."""
    return " --inventory ".join(shlex.quote(source) for source in sources)


def from_listing(
    listing: Mapping[str, object], sources: Sequence[str], places: Places, warnings: Sequence[Problem] = ()
) -> RawInventory:
    """Return the inventory of an answer of ``ansible-inventory --list``.

    Args:
        listing: The answer, as JSON has it.
        sources: What Ansible was asked about, as the user named it.
        places: Where things stand in the files.
        warnings: What Ansible said of them.
    """
    meta = cast("Mapping[str, Mapping[str, Mapping[str, object]]]", listing.get(_META, {}))
    variables = meta.get("hostvars", {})
    tree = _Tree(listing, variables, places)
    own_groups: dict[str, list[str]] = {}
    for group, members in tree.members.items():
        for host in members:
            own_groups.setdefault(host, []).append(group)
    hosts = {}
    for name in tree.members[_ALL]:
        values = {key: decoded(value) for key, value in variables.get(name, {}).items()}
        groups = sorted(own_groups[name], key=lambda group: (tree.depths[group], group))
        inside = tuple(sorted(group for group in groups if group != _ALL))
        origins = HostPlaces(places, name, groups, values)
        hosts[name] = RawHost(name, inside, values, origins, places.directory(name))
    children = {name: tuple(below) for name, below in tree.children.items()}
    return RawInventory(tuple(sources), hosts, tree.members, children, places.names, tuple(warnings))


def decoded(value: object) -> Value:
    """Return a value of an answer: what is vaulted is opaque, what is unsafe is no template."""
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if isinstance(value, dict):
        if value.keys() == {_VAULTED}:
            return Opaque("!vault")
        if value.keys() == {_UNSAFE}:
            return Verbatim(value[_UNSAFE])
        return {key: decoded(item) for key, item in value.items()}
    return cast("Value", value)


class _Tree:
    """The groups of an answer. A group without hosts and child groups is named by its parent alone."""

    def __init__(self, listing: Mapping[str, object], variables: Collection[str], places: Places) -> None:
        groups = {name: cast("Mapping[str, list[str]]", body) for name, body in listing.items() if name != _META}
        self.children = {name: list(body.get("children", ())) for name, body in groups.items()}
        self._hosts = {name: list(body.get("hosts", ())) for name, body in groups.items()}
        for below in list(self.children.values()):
            for name in below:
                self.children.setdefault(name, [])
        self.children.setdefault(_ALL, [])
        known = {host for hosts in self._hosts.values() for host in hosts}
        # The answer does not tell which hosts stand in `all` itself; those come first in Ansible's order. One that
        # is named like a group is not even in `ungrouped`, and has variables alone.
        loose = [host for host in variables if host not in known]
        first = [host for host in places.of_all() if host in known]
        self._hosts[_ALL] = [*first, *loose, *self._hosts.get(_ALL, ())]
        self.members = {name: tuple(dict.fromkeys(self._below(name))) for name in self.children}
        self.depths = self._depths()

    def _below(self, name: str) -> Iterator[str]:
        """Yield the hosts of a group, then those of its child groups, then of theirs: Ansible's order."""
        level, seen = [name], {name}
        while level:
            for group in level:
                yield from self._hosts.get(group, ())
            below = [child for group in level for child in self.children[group]]
            level = [child for child in dict.fromkeys(below) if child not in seen]
            seen |= set(level)

    def _depths(self) -> dict[str, int]:
        """Return the length of the longest way from ``all`` to each group; Ansible allows no loops."""
        depths = dict.fromkeys(self.children, 0)
        waiting = [_ALL]
        while waiting:
            name = waiting.pop()
            for child in self.children[name]:
                if depths[child] <= depths[name]:
                    depths[child] = depths[name] + 1
                    waiting.append(child)
        return depths
