"""Ansible's YAML inventories: hosts, groups and their variables, as Ansible itself would merge them.

Read here rather than by ``ansible-inventory`` for two reasons: that program takes a second, and it forgets in
which line a value stood. A test holds both to the same answer for every inventory that rmqops ships.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from rmqops.errors import InventoryError, Problem
from rmqops.model import yamltext
from rmqops.model.inventory_files import YAML_SUFFIXES, read_by_ansible, variables_owner
from rmqops.model.topology import Value
from rmqops.model.yamltext import EMPTY, Mapped, Origin

PRIORITY: Final = "ansible_group_priority"

_INI_SECTION: Final = re.compile(r"\s*\[[\w.-]+(?::(?:vars|children))?\]\s*(?:[#;].*)?")
_CONVERT: Final = "Convert it: ansible-inventory -i {0} --list --yaml --output {0}.yml"


@dataclass(frozen=True)
class RawHost:
    """A host with its merged variables; templates are not resolved yet."""

    name: str
    groups: tuple[str, ...]
    """Every group it is in, ``all`` excluded, sorted: Ansible's ``group_names``."""
    variables: Mapping[str, Value]
    origins: Mapping[str, Origin]
    """Where each variable that won was set, and as ``variable.key`` each key of a mapping."""


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
    places: Mapping[str, Origin]
    """Where each group and each host first stands."""
    warnings: tuple[Problem, ...]


@dataclass
class _Group:
    children: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    variables: Mapped = EMPTY


@dataclass
class _Parser:
    groups: dict[str, _Group] = field(default_factory=dict)
    host_variables: dict[str, Mapped] = field(default_factory=dict)
    places: dict[str, Origin] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def group(self, name: str, body: object, origin: Origin) -> None:
        known = self.groups.setdefault(name, _Group())
        self.places.setdefault(name, origin)
        if isinstance(body, Mapped):
            for section, content in body.entries.items():
                self._section(known, name, section, content, body.origins[section])
        elif name == "plugin" and isinstance(body, str):
            remedy = "Name a YAML inventory; ansible-inventory --list --yaml writes one from a plug-in's"
            self._complain(
                origin, name, body, "configures an inventory plug-in, which rmqops does not run", remedy
            )
        elif body is not None:
            self._complain(origin, name, body, "is not a group", "A group holds `hosts`, `vars` and `children`")

    def _section(self, group: _Group, name: str, section: str, content: object, origin: Origin) -> None:
        if section not in {"hosts", "vars", "children"}:
            self._complain(origin, section, None, f"is not a section of group {name}", "Use hosts, vars, children")
        elif isinstance(content, str) and section != "vars":
            self._section(group, name, section, Mapped({content: None}, {content: origin}), origin)
        elif content is None:
            return
        elif not isinstance(content, Mapped):
            self._complain(origin, section, content, "is not a mapping", "End each name with a colon")
        elif section == "vars":
            group.variables = _over(group.variables, content)
        elif section == "children":
            for child, body in content.entries.items():
                if child not in group.children:
                    group.children.append(child)
                self.group(child, body, content.origins[child])
        else:
            for host, variables in content.entries.items():
                self._host(group, host, variables, content.origins[host])

    def _host(self, group: _Group, name: str, variables: object, origin: Origin) -> None:
        if name not in group.hosts:
            group.hosts.append(name)
        self.places.setdefault(name, origin)
        own = self.host_variables.setdefault(name, EMPTY)
        if isinstance(variables, Mapped):
            self.host_variables[name] = _over(own, variables)
        elif variables is not None:
            self._complain(origin, name, variables, "is not a mapping of variables", "Write `name: {key: value}`")

    def _complain(self, place: Origin, key: str, found: object, message: str, remedy: str) -> None:
        self.problems.append(Problem(str(place), None, key, "" if found is None else str(found), message, remedy))

    def refuse_loops(self) -> None:
        """Complain of each group that is its own child, through others or not, as Ansible does."""
        for name, group in self.groups.items():
            if name == "all" and not any("all" in other.children for other in self.groups.values()):
                continue
            if any(name in self._below(child) for child in group.children):
                remedy = "Take it out of the `children` below it"
                self._complain(self.places[name], name, None, "is a child group of itself", remedy)

    def _below(self, name: str) -> set[str]:
        below: set[str] = set()
        waiting = [name]
        while waiting:
            current = waiting.pop()
            if current not in below:
                below.add(current)
                waiting += self.groups[current].children
        return below

    def depths(self) -> dict[str, int]:
        """Return the length of the longest way from ``all`` to each group; there are no loops."""
        depths = dict.fromkeys(self.groups, 0)
        for _ in self.groups:
            for name, group in self.groups.items():
                for child in group.children:
                    depths[child] = max(depths[child], depths[name] + 1)
        return depths

    def members(self, name: str) -> Iterator[str]:
        """Yield the hosts of a group, then those of its child groups, then of theirs: Ansible's order."""
        level = [name]
        while level:
            for group in level:
                yield from self.groups[group].hosts
            level = [child for group in level for child in self.groups[group].children]


def parse(path: str, files: Mapping[str, str], directory: str | None = None) -> RawInventory:
    """Parse an inventory.

    Args:
        path: The inventory as the user named it: a file or a directory.
        files: The text of each of its files by path (see :func:`~rmqops.model.inventory_files.is_inventory_file`).
        directory: Ansible's ``inventory_dir``; by default the directory of the first file.

    Raises:
        InventoryError: it cannot be read; all problems at once.
    """
    parser = _Parser(groups={"all": _Group()})
    sources = [name for name in files if variables_owner(name) is None]
    if not sources:
        remedy = "Put a hosts.yml there; inventory/local of rmqops is an example"
        raise InventoryError([Problem(path, None, None, "", "holds no inventory file", remedy)])
    for name in sources:
        foreign = _foreign(name, files[name])
        if foreign:
            parser.problems.append(foreign)
            continue
        document, problems = yamltext.read(name, files[name])
        parser.problems += problems
        for group, body in document.entries.items():
            parser.group(group, body, document.origins[group])
    group_files, warnings = _variable_files(parser, files)
    parser.refuse_loops()
    if parser.problems:
        raise InventoryError(parser.problems)
    return _merged(path, directory or str(PurePosixPath(sources[0]).parent), parser, group_files, warnings)


def _foreign(name: str, text: str) -> Problem | None:
    """Return the problem of a file that Ansible reads and rmqops does not: a program, or an INI inventory."""
    if text.startswith("#!"):
        return Problem(f"{name}:1", None, None, text.split("\n", 1)[0], "is a program", _CONVERT.format(name))
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith(("#", ";")):
            continue
        if _INI_SECTION.fullmatch(line) or PurePosixPath(name).suffix not in YAML_SUFFIXES:
            what = "is not a YAML inventory (by its name or its first line it is an INI one)"
            return Problem(f"{name}:{number}", None, None, line.strip()[:60], what, _CONVERT.format(name))
        break
    return None


def _variable_files(parser: _Parser, files: Mapping[str, str]) -> tuple[dict[str, Mapped], tuple[Problem, ...]]:
    """Read ``group_vars`` and ``host_vars``; of several files of one owner the first kind wins, as in Ansible."""
    owned: dict[tuple[str, str], list[str]] = {}
    for name in files:
        owner = variables_owner(name)
        if owner is not None:
            owned.setdefault(owner, []).append(name)
    group_files: dict[str, Mapped] = {}
    warnings = []
    for (kind, owner_name), names in owned.items():
        for name in read_by_ansible(names, kind):
            if files[name].startswith("$ANSIBLE_VAULT;"):
                what = "is vaulted as a whole; only Ansible can see what it sets"
                remedy = "Keep rocketmq_ variables out of it"
                warnings.append(Problem(name, None, None, "", what, remedy, "warning"))
                continue
            document, problems = yamltext.read(name, files[name])
            parser.problems += problems
            target = group_files if kind == "group_vars" else parser.host_variables
            target[owner_name] = _over(target.get(owner_name, EMPTY), document)
    return group_files, tuple(warnings)


def _merged(
    path: str, directory: str, parser: _Parser, group_files: Mapping[str, Mapped], warnings: tuple[Problem, ...]
) -> RawInventory:
    groups = parser.groups
    children = {child for group in groups.values() for child in group.children}
    groups["all"].children += [name for name in groups if name not in children and name != "all"]
    loose = [
        host
        for host in groups["all"].hosts
        if not any(host in body.hosts for name, body in groups.items() if name != "all")
    ]
    groups.setdefault("ungrouped", _Group()).hosts += loose
    top = [name for name in groups["all"].children if name != "ungrouped"]
    groups["all"].children = ["ungrouped", *top]
    members = {name: tuple(dict.fromkeys(parser.members(name))) for name in groups}
    depths = parser.depths()
    order = sorted(groups, key=lambda name: (depths[name], _priority(groups[name]), name))
    hosts = {}
    for host in members["all"]:
        own_groups = [name for name in order if host in members[name]]
        merged = EMPTY
        # Ansible's VARIABLE_PRECEDENCE: every group of the inventory file, then group_vars/all, then the others.
        for group in own_groups:
            merged = _over(merged, groups[group].variables)
        for group in own_groups:
            merged = _over(merged, group_files.get(group, EMPTY))
        merged = _over(merged, parser.host_variables.get(host, EMPTY))
        names = tuple(sorted(name for name in own_groups if name != "all"))
        hosts[host] = RawHost(host, names, _without(merged.plain(), PRIORITY), merged.places())
    all_children = {name: tuple(group.children) for name, group in groups.items()}
    return RawInventory(path, directory, hosts, members, all_children, parser.places, warnings)


def _priority(group: _Group) -> int:
    value = group.variables.entries.get(PRIORITY, 1)
    return int(value) if isinstance(value, int | str) and str(value).isdecimal() else 1


def _without(variables: dict[str, Value], key: str) -> dict[str, Value]:
    return {name: value for name, value in variables.items() if name != key}


def _over(below: Mapped, above: Mapped) -> Mapped:
    return Mapped({**below.entries, **above.entries}, {**below.origins, **above.origins})
