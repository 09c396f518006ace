"""Ansible's YAML inventories: hosts, groups and their variables, as Ansible itself would merge them.

Read here rather than by ``ansible-inventory`` for two reasons: that program takes a second, and it forgets in
which line a value stood. A test holds both to the same answer for every inventory that rmqops ships.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from rmqops.errors import InventoryError, Problem
from rmqops.model import yamltext
from rmqops.model.topology import Value
from rmqops.model.yamltext import EMPTY, Mapped, Origin

_SECTIONS = {"hosts", "vars", "children"}


@dataclass(frozen=True)
class RawHost:
    """A host with its merged variables; templates are not resolved yet."""

    name: str
    groups: tuple[str, ...]
    """Every group it is in, ``all`` excluded, sorted: Ansible's ``group_names``."""
    variables: Mapping[str, Value]
    origins: Mapping[str, Origin]
    """Where each variable that won was set."""


@dataclass(frozen=True)
class RawInventory:
    """An inventory, merged; templates are not resolved yet."""

    path: str
    directory: str
    """Ansible's ``inventory_dir``."""
    hosts: Mapping[str, RawHost]
    groups: Mapping[str, tuple[str, ...]]
    """Hosts of each group, those of its child groups included, in the order of the file."""
    children: Mapping[str, tuple[str, ...]]
    """Child groups of each group."""


@dataclass
class _Group:
    children: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    variables: Mapped = EMPTY


@dataclass
class _Parser:
    groups: dict[str, _Group] = field(default_factory=dict)
    host_variables: dict[str, Mapped] = field(default_factory=dict)
    group_files: dict[str, Mapped] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def group(self, name: str, body: object, origin: str) -> None:
        known = self.groups.setdefault(name, _Group())
        if body is None:
            return
        if not isinstance(body, Mapped):
            self._complain(origin, name, body, "is not a group", "A group holds `hosts`, `vars` and `children`")
            return
        for section, content in body.entries.items():
            place = str(body.origins[section])
            if section not in _SECTIONS:
                self._complain(
                    place, section, None, f"is not a section of group {name}", "Use hosts, vars, children"
                )
            elif content is None:
                continue
            elif not isinstance(content, Mapped):
                self._complain(place, section, content, "is not a mapping", "End each name with a colon")
            elif section == "vars":
                known.variables = _over(known.variables, content)
            elif section == "children":
                for child, child_body in content.entries.items():
                    if child not in known.children:
                        known.children.append(child)
                    self.group(child, child_body, str(content.origins[child]))
            else:
                for host, variables in content.entries.items():
                    self._host(known, host, variables, str(content.origins[host]))

    def _host(self, group: _Group, name: str, variables: object, origin: str) -> None:
        if name not in group.hosts:
            group.hosts.append(name)
        own = self.host_variables.setdefault(name, EMPTY)
        if isinstance(variables, Mapped):
            self.host_variables[name] = _over(own, variables)
        elif variables is not None:
            self._complain(origin, name, variables, "is not a mapping of variables", "Write `name: {key: value}`")

    def _complain(self, place: str, key: str, found: object, message: str, remedy: str) -> None:
        self.problems.append(Problem(place, None, key, "" if found is None else str(found), message, remedy))

    def depth(self, name: str, seen: frozenset[str] = frozenset()) -> int:
        """Return the length of the longest way from ``all`` to a group."""
        parents = [
            parent for parent, group in self.groups.items() if name in group.children and parent not in seen
        ]
        return (
            1 + max((self.depth(parent, seen | {name}) for parent in parents), default=0) if name != "all" else 0
        )

    def members(self, name: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
        """Yield the hosts of a group and of its child groups."""
        if name in seen:
            return
        group = self.groups.get(name, _Group())
        yield from group.hosts
        for child in group.children:
            yield from self.members(child, seen | {name})


def parse(path: str, files: Mapping[str, str]) -> RawInventory:
    """Parse an inventory.

    Args:
        path: The inventory as the user named it: a file or a directory.
        files: The text of each of its files by path (see :func:`is_inventory_file`).

    Raises:
        InventoryError: it cannot be read; all problems at once.
    """
    parser = _Parser(groups={"all": _Group()})
    sources = {name: text for name, text in files.items() if _vars_owner(name) is None}
    for name, text in sources.items():
        document, problems = yamltext.read(name, text)
        parser.problems += problems
        for group, body in document.entries.items():
            parser.group(group, body, str(document.origins[group]))
    for name, text in files.items():
        owner = _vars_owner(name)
        if owner is None:
            continue
        document, problems = yamltext.read(name, text)
        parser.problems += problems
        target = parser.group_files if owner[0] == "group_vars" else parser.host_variables
        target[owner[1]] = _over(target.get(owner[1], EMPTY), document)
    if parser.problems:
        raise InventoryError(parser.problems)
    directory = str(PurePosixPath(next(iter(sources))).parent) if sources else path
    return _merged(path, directory, parser)


def _merged(path: str, directory: str, parser: _Parser) -> RawInventory:
    top = [name for name in parser.groups if not any(name in group.children for group in parser.groups.values())]
    parser.groups["all"].children += [name for name in top if name != "all"]
    members = {name: tuple(dict.fromkeys(parser.members(name))) for name in parser.groups}
    order = sorted(parser.groups, key=lambda name: (parser.depth(name), name))
    hosts = {}
    for host in members["all"]:
        mine = [name for name in order if host in members[name]]
        merged = EMPTY
        # Ansible's VARIABLE_PRECEDENCE: every group of the inventory file, then group_vars/all, then the others.
        for group in mine:
            merged = _over(merged, parser.groups[group].variables)
        for group in mine:
            merged = _over(merged, parser.group_files.get(group, EMPTY))
        merged = _over(merged, parser.host_variables.get(host, EMPTY))
        groups = tuple(sorted(name for name in mine if name != "all"))
        hosts[host] = RawHost(host, groups, merged.plain(), merged.origins)
    children = {name: tuple(group.children) for name, group in parser.groups.items()}
    return RawInventory(path, directory, hosts, members, children)


def _over(below: Mapped, above: Mapped) -> Mapped:
    return Mapped({**below.entries, **above.entries}, {**below.origins, **above.origins})


def _vars_owner(name: str) -> tuple[str, str] | None:
    """Return (``group_vars`` or ``host_vars``, owner) for a file of variables, and None for a list of hosts."""
    parts = PurePosixPath(name).parts
    for index, part in enumerate(parts[:-1]):
        if part in {"group_vars", "host_vars"}:
            return part, PurePosixPath(parts[index + 1]).stem if index + 2 == len(parts) else parts[index + 1]
    return None


def is_inventory_file(name: str) -> bool:
    """Tell whether a file in an inventory directory belongs to it."""
    suffix = PurePosixPath(name).suffix
    return suffix in {".yml", ".yaml"} or (suffix == "" and _vars_owner(name) is not None)
