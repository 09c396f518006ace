"""Inventories of plain YAML, merged as Ansible merges: what unit tests read in place of a process each.

It takes files of mappings alone: anything else is Ansible's, and so asked of it. The test of agreement holds it to
``ansible-inventory`` for every inventory that it takes.
"""

from __future__ import annotations

import datetime
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from rmqops.errors import InventoryError
from rmqops.model.inventory import RawInventory, from_listing
from rmqops.model.inventory_places import InventoryText
from rmqops.operations.ansible_inventory import asking
from rmqops.operations.ansible_inventory.asking import Answer
from rmqops.operations.ansible_inventory.sources import InventoryFiles, SourceFile, look

_TAG = re.compile(r"!(?!!)(?<!!!)\w")
PRIORITY = "ansible_group_priority"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class _Group:
    children: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)


def read(files: InventoryFiles) -> Answer:
    """Return what ``ansible-inventory`` would say, asking it where an inventory is more than plain YAML."""
    try:
        return Answer(listing(files))
    except NotPlainError:
        return asking.ask(files)


def described(texts: Mapping[str, str], source: str = "inv") -> InventoryFiles:
    """Return the files of an inventory that is nowhere, by their path in it."""
    made = [SourceFile(f"0/{name}", name, text.encode("utf-8", "surrogatepass")) for name, text in texts.items()]
    variables = [file for file in made if file.name.split("/")[1] in {"group_vars", "host_vars"}]
    hosts = [file for file in made if file not in variables]
    return InventoryFiles((source,), tuple(hosts), tuple(variables), complete=True)


def parsed(texts: Mapping[str, str], source: str = "inv") -> RawInventory:
    """Return the inventory of such files.

    Raises:
        InventoryError: Ansible cannot read it, or it is refused before.
    """
    files = described(texts, source)
    if files.places.problems:
        raise InventoryError(files.places.problems)
    try:
        answer = listing(files)
    except NotPlainError:
        answer = dict(_asked(texts).listing)
    return from_listing(answer, files.sources, files.places)


def _asked(texts: Mapping[str, str]) -> Answer:
    """Ask Ansible what such files say."""
    with tempfile.TemporaryDirectory() as directory:
        for name, text in texts.items():
            path = Path(directory, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8", "surrogatepass"))
        return asking.ask(look([directory]))


class NotPlainError(Exception):
    """An inventory that Ansible alone can read."""


def listing(files: InventoryFiles) -> dict[str, Any]:
    """Return the answer of ``ansible-inventory --list``.

    Raises:
        NotPlainError: it has more than mappings of YAML, or settings decide how Ansible reads it.
    """
    settings = [name for name in os.environ if name.startswith("ANSIBLE_") and name not in asking.SETTINGS]
    if len(files.sources) != 1 or settings or not files.complete or not files.hosts:
        raise NotPlainError
    if any(file.executable or PurePosixPath(file.name).suffix not in {".yml", ".yaml"} for file in files.hosts):
        raise NotPlainError
    reader = _Reader()
    for text in files.places.texts:
        reader.read(text)
    return reader.listing()


class _Reader:
    def __init__(self) -> None:
        self.groups: dict[str, _Group] = {"all": _Group(), "ungrouped": _Group()}
        self.hosts: dict[str, dict[str, Any]] = {}
        self.priorities: dict[str, int] = {}
        self.files: dict[tuple[str, str], dict[str, Any]] = {}

    def read(self, text: InventoryText) -> None:
        document = _document(text.text)
        if text.kind == "hosts":
            for name, body in document.items():
                self._group(name, body)
        else:
            self.files.setdefault((text.kind, text.owner), {}).update(document)

    def _group(self, name: str, body: object) -> _Group:
        group = self.groups.setdefault(name, _Group())
        for section, content in _mapping(body).items():
            if section == "vars":
                group.variables |= _mapping(content)
                self.priorities[name] = group.variables.pop(PRIORITY, self.priorities.get(name, 1))
            elif section == "children":
                for child, inner in _mapping(content).items():
                    self._group(child, inner)
                    group.children += [] if child in group.children else [child]
            elif section == "hosts":
                for host, variables in _mapping(content).items():
                    if "[" in host:
                        raise NotPlainError
                    group.hosts += [] if host in group.hosts else [host]
                    self.hosts.setdefault(host, {}).update(_mapping(variables))
            else:
                raise NotPlainError
        return group

    def listing(self) -> dict[str, Any]:
        groups = self.groups
        if groups.keys() & self.hosts.keys():  # Ansible takes what is said of such a host as said of the group
            raise NotPlainError
        below = {child for group in groups.values() for child in group.children}
        top = [name for name in groups if name not in {*below, "all", "ungrouped"}]
        loose = [
            host
            for host in groups["all"].hosts
            if not any(host in group.hosts for name, group in groups.items() if name not in {"all", "ungrouped"})
        ]
        groups["ungrouped"].hosts += [host for host in loose if host not in groups["ungrouped"].hosts]
        groups["all"].children = ["ungrouped", *groups["all"].children, *top]
        members = {name: set(self._members(name, ())) for name in groups}
        depths = self._depths()
        order = sorted(groups, key=lambda name: (depths[name], self.priorities.get(name, 1), name))
        hostvars = {}
        for host, own in self.hosts.items():
            inside = [name for name in order if host in members[name]]
            merged: dict[str, Any] = {}
            for name in inside:
                merged |= groups[name].variables
            for name in inside:
                merged |= self.files.get(("group_vars", name), {})
            merged |= own | self.files.get(("host_vars", host), {})
            if PRIORITY in merged:  # of a host, or from a file beside the inventory, it is a variable like others
                raise NotPlainError
            if merged:
                hostvars[host] = merged
        document: dict[str, Any] = {"_meta": {"hostvars": hostvars}}
        for name, group in groups.items():
            body = {"children": group.children, "hosts": group.hosts if name != "all" else []}
            document[name] = {section: content for section, content in body.items() if content}
        return document

    def _members(self, name: str, above: tuple[str, ...]) -> Iterator[str]:
        if name in above:
            raise NotPlainError
        yield from self.groups[name].hosts
        for child in self.groups[name].children:
            yield from self._members(child, (*above, name))

    def _depths(self) -> dict[str, int]:
        depths = dict.fromkeys(self.groups, 0)
        for _ in self.groups:
            for name, group in self.groups.items():
                for child in group.children:
                    depths[child] = max(depths[child], depths[name] + 1)
        return depths


def _document(text: str) -> dict[str, Any]:
    if _TAG.search(text) or "$ANSIBLE_VAULT" in text or "plugin" in text:
        raise NotPlainError
    try:
        document = yaml.load(text, _LOADER)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise NotPlainError from error
    return {} if document is None else _plain(_mapping(document))


def _mapping(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise NotPlainError
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, bytes | set):
        raise NotPlainError
    return value
