"""Where the values of an inventory stand: file and line, for messages. PURE.

What a variable's value is, Ansible has said; this looks for the place that says the same. It reads YAML alone:
what stands in an INI file or comes from a plug-in has no place here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Final, Literal

from rmqops.errors import Problem
from rmqops.model import yamltext
from rmqops.model.topology import Value
from rmqops.model.yamltext import Mapped, Opaque, Origin

YAML_SUFFIXES: Final = (".yml", ".yaml", ".json")
"""Ansible's ``YAML_FILENAME_EXTENSIONS``."""

Kind = Literal["hosts", "group_vars", "host_vars"]


@dataclass(frozen=True)
class InventoryText:
    """A file that Ansible reads: a list of hosts and groups, or the variables of one of them."""

    file: str
    """Its path, as a message names it."""
    text: str
    kind: Kind = "hosts"
    owner: str = ""
    """The group or host that a file of variables belongs to."""


class Places:
    """The places in the files of an inventory; nothing is parsed before somebody asks."""

    def __init__(self, texts: Sequence[InventoryText], directories: Sequence[str] = ()) -> None:
        """Take the files in the order in which Ansible reads them.

        Args:
            texts: Every file that is text.
            directories: Of every file with hosts, absolute, those included that are no text.
        """
        self.texts = texts
        self._directories = tuple(dict.fromkeys(directories))

    @cached_property
    def _read(self) -> _Reader:
        reader = _Reader()
        for text in self.texts:
            reader.read(text)
        return reader

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What Ansible would take and nobody can mean (a key twice), or could not take without harm (aliases)."""
        return tuple(self._read.problems)

    @property
    def unreadable(self) -> tuple[Problem, ...]:
        """Files that are named as YAML and are none, with the line where that shows."""
        return tuple(self._read.unreadable)

    @property
    def names(self) -> Mapping[str, Origin]:
        """Where each group and each host first stands."""
        return _Lazy(self)

    def of_all(self) -> Sequence[str]:
        """Return the hosts that stand in the group ``all`` itself."""
        if not any("all" in text.text for text in self.texts if text.kind == "hosts"):
            return ()
        return self._read.hosts_of_all

    def first(self) -> Mapping[str, Origin]:
        """Return where each group and each host first stands."""
        return self._read.names

    def directory(self, host: str) -> str | None:
        """Return the directory of the file where a host first stands; None where that cannot be told."""
        if len(self._directories) == 1:
            return self._directories[0]
        origin = self._read.hosts.get(host)
        return str(PurePosixPath(origin.file).parent) if origin else None

    def of_variables(
        self, host: str, groups: Sequence[str], variables: Mapping[str, Value]
    ) -> Mapping[str, Origin]:
        """Return where the values of a host's variables stand.

        Args:
            host: Its name.
            groups: Its groups, those whose values win last.
            variables: What Ansible says they are.
        """
        stated = self._read.stated
        candidates: list[Mapped] = []
        for kind in ("group", "group_vars"):
            for group in groups:
                candidates += stated.get((kind, group), ())
        candidates += [*stated.get(("host", host), ()), *stated.get(("host_vars", host), ())]
        origins: dict[str, Origin] = {}
        for mapped in candidates:
            for key, entry in mapped.entries.items():
                if key in variables and _means(entry, variables[key]):
                    origins[key] = mapped.origins[key]
                    origins.update(_nested(key, entry, variables[key]))
        return origins


class _Lazy(Mapping[str, Origin]):
    def __init__(self, places: Places) -> None:
        self._places = places

    def __getitem__(self, key: str) -> Origin:
        return self._places.first()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places.first())

    def __len__(self) -> int:
        return len(self._places.first())


class HostPlaces(Mapping[str, Origin]):
    """Where the variables of one host stand, found when somebody asks."""

    def __init__(self, places: Places, host: str, groups: Sequence[str], variables: Mapping[str, Value]) -> None:
        self._asked = places, host, groups, variables

    @cached_property
    def _found(self) -> Mapping[str, Origin]:
        places, host, groups, variables = self._asked
        return places.of_variables(host, groups, variables)

    def __getitem__(self, key: str) -> Origin:
        return self._found[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


class _Reader:
    """Takes apart what it can; what does not look like an inventory is Ansible's to judge."""

    def __init__(self) -> None:
        self.stated: dict[tuple[str, str], list[Mapped]] = {}
        """Variables by kind (group, group_vars, host, host_vars) and owner, in the order of reading."""
        self.names: dict[str, Origin] = {}
        self.hosts: dict[str, Origin] = {}
        self.hosts_of_all: list[str] = []
        self.problems: list[Problem] = []
        self.unreadable: list[Problem] = []

    def read(self, text: InventoryText) -> None:
        if text.text.startswith(("$ANSIBLE_VAULT", "#!")):
            return
        document, problems, is_yaml = yamltext.examine(text.file, text.text)
        if is_yaml:
            self.problems += problems
        elif PurePosixPath(text.file).suffix in YAML_SUFFIXES:
            self.unreadable += problems
        if text.kind == "hosts":
            for name, body in document.entries.items():
                self._group(name, body, document.origins[name])
        else:
            self.stated.setdefault((text.kind, text.owner), []).append(document)

    def _group(self, name: str, body: object, origin: Origin) -> None:
        self.names.setdefault(name, origin)
        if not isinstance(body, Mapped):
            return
        for section, content in body.entries.items():
            if isinstance(content, str) and section in {"hosts", "children"}:
                content = Mapped({content: None}, {content: body.origins[section]})  # noqa: PLW2901
            if not isinstance(content, Mapped):
                continue
            if section == "vars":
                self.stated.setdefault(("group", name), []).append(content)
            for key, inner in content.entries.items():
                if section == "children":
                    self._group(key, inner, content.origins[key])
                elif section == "hosts":
                    self._host(name, key, inner, content.origins[key])

    def _host(self, group: str, name: str, variables: object, origin: Origin) -> None:
        self.names.setdefault(name, origin)
        self.hosts.setdefault(name, origin)
        if group == "all":
            self.hosts_of_all.append(name)
        if isinstance(variables, Mapped):
            self.stated.setdefault(("host", name), []).append(variables)


def _means(entry: object, value: Value) -> bool:
    """Tell whether what a file says is the value that Ansible has; what only Ansible can read is taken as such."""
    if isinstance(entry, Opaque):
        return True
    if isinstance(entry, Mapped):
        return isinstance(value, dict)
    return type(entry) is type(value) and entry == value


def _nested(key: str, entry: object, value: Value) -> Iterator[tuple[str, Origin]]:
    if isinstance(entry, Mapped) and isinstance(value, dict):
        for name, inner in entry.entries.items():
            if name in value and _means(inner, value[name]):
                yield f"{key}.{name}", entry.origins[name]
                yield from _nested(f"{key}.{name}", inner, value[name])
