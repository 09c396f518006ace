"""The files that Ansible reads for an inventory, found as it finds them.

They are looked at for two reasons: their content decides whether a kept answer is still right, and a message
shall say in which line a value stands. What they mean, Ansible says. So more is looked at than Ansible would
read, never less.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

from rmqops.model.inventory_places import YAML_SUFFIXES, InventoryText, Kind, Places

MAX_BYTES: Final = 64 << 20
"""Of all files together; beyond that no answer is kept."""
MAX_FILES: Final = 5000

_VARIABLES: Final[tuple[Kind, ...]] = ("group_vars", "host_vars")
_SKIPPED: Final = re.compile(
    r"^\.|^(?:host_vars|group_vars|vars_plugins)$|(?:\.pyc|\.pyo|\.swp|\.bak|~|\.rpm|\.md|\.txt|\.rst|\.orig|\.cfg|\.retry)$"
)
"""What Ansible passes over among lists of hosts, unless ``ansible.cfg`` says otherwise."""


@dataclass(frozen=True)
class SourceFile:
    """A file that Ansible may read."""

    name: str
    """What it is, apart from where the inventory lies: the number of its source, and its path in there."""
    path: str
    content: bytes | None
    """None where it cannot be read, or is no regular file."""
    executable: bool = False


@dataclass(frozen=True)
class InventoryFiles:
    """All files of an inventory of one or more sources."""

    sources: tuple[str, ...]
    """What Ansible is given, one an ``-i``."""
    hosts: tuple[SourceFile, ...]
    """Those that may list hosts and groups, in Ansible's order."""
    variables: tuple[SourceFile, ...]
    """Those in ``group_vars`` and ``host_vars`` beside them and in the working directory."""
    complete: bool
    """Whether that is all of them: a directory that leads into itself, or too many files, has no end."""

    @property
    def all(self) -> tuple[SourceFile, ...]:
        """Every file."""
        return self.hosts + self.variables

    @cached_property
    def places(self) -> Places:
        """Where things stand in the files."""
        texts = [*_texts(self.hosts, hosts=True), *_texts(self.variables, hosts=False)]
        directories = [str(Path(file.path).parent.absolute()) for file in self._lists()]
        return Places(texts, directories)

    def _lists(self) -> Iterator[SourceFile]:
        for file in self.hosts:
            if not any(_SKIPPED.search(part) for part in _inner(file)):
                yield file


def look(sources: Sequence[str]) -> InventoryFiles:
    """Read the files of an inventory.

    Args:
        sources: What Ansible is given: paths, or lists of hosts with a comma.
    """
    search = _Search()
    hosts: list[SourceFile] = []
    variables: list[SourceFile] = []
    directories = set()
    for number, source in enumerate(sources):
        path = Path(source)
        if "," in source and not path.exists():
            continue
        if path.is_dir():
            hosts += search.below(path, str(number))
        else:
            hosts.append(search.file(path, f"{number}/{path.name}"))
        directory = path if path.is_dir() else path.parent
        directories.add(directory.resolve())
        variables += search.variables(directory, str(number))
    if Path.cwd() not in directories:
        variables += search.variables(Path(), "cwd")
    return InventoryFiles(tuple(sources), tuple(hosts), tuple(variables), search.complete)


class _Search:
    def __init__(self) -> None:
        self.complete = True
        self._bytes = 0
        self._files = 0

    def variables(self, directory: Path, name: str) -> Iterator[SourceFile]:
        for kind in _VARIABLES:
            if (directory / kind).is_dir():
                yield from self.below(directory / kind, f"{name}/{kind}", hidden=True)

    def below(
        self, directory: Path, name: str, *, hidden: bool = False, above: tuple[str, ...] = ()
    ) -> Iterator[SourceFile]:
        """Yield the files of a directory and of those in it, in the order of their names, through links."""
        real = os.path.realpath(directory)
        if real in above or self._files > MAX_FILES:
            self.complete = False
            return
        try:
            entries = sorted(entry.name for entry in directory.iterdir())
        except OSError:
            yield SourceFile(name, str(directory), None)
            return
        for entry in entries:
            path = directory / entry
            if entry.startswith(".") and not hidden:
                continue
            if path.is_dir():
                if not (entry in _VARIABLES and not hidden):
                    yield from self.below(path, f"{name}/{entry}", hidden=hidden, above=(*above, real))
            else:
                yield self.file(path, f"{name}/{entry}")

    def file(self, path: Path, name: str) -> SourceFile:
        self._files += 1
        try:
            # A pipe would never end, and a device is no inventory; os.open follows links, as Ansible does.
            number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(number, "rb") as stream:
                status = os.fstat(number)
                if not stat.S_ISREG(status.st_mode) or self._bytes + status.st_size > MAX_BYTES:
                    return SourceFile(name, str(path), None)
                content = stream.read()
        except FileNotFoundError:  # a link that leads nowhere, which Ansible passes over
            return SourceFile(f"{name} leads nowhere", str(path), b"")
        except OSError:
            return SourceFile(name, str(path), None)
        self._bytes += len(content)
        return SourceFile(name, str(path), content, os.access(path, os.X_OK))


def _texts(files: Sequence[SourceFile], *, hosts: bool) -> Iterator[InventoryText]:
    """Yield what is text among files, each with whose variables it holds."""
    alone: Mapping[tuple[str, str], str] = {} if hosts else _chosen(files)
    for file in files:
        inner = _inner(file)
        if file.content is None:
            continue
        if hosts and (any(_SKIPPED.search(part) for part in inner) or file.executable):
            continue
        try:
            text = file.content.decode("utf-8-sig")
        except UnicodeDecodeError:
            continue
        if hosts:
            yield InventoryText(file.path, text)
            continue
        kind, owner = inner[0], _without_suffix(inner[1])
        if len(inner) == 2 and alone.get((file.name.split("/")[0] + kind, owner)) != file.name:
            continue
        if len(inner) > 2 and (
            any(part.startswith(".") or part.endswith("~") for part in inner[2:])
            or PurePosixPath(inner[-1]).suffix not in ("", *YAML_SUFFIXES)
        ):
            continue
        yield InventoryText(file.path, text, "host_vars" if kind == "host_vars" else "group_vars", owner)


def _chosen(files: Sequence[SourceFile]) -> dict[tuple[str, str], str]:
    """Return which file Ansible takes of several of one owner (``find_vars_files``); none beside a directory."""
    order = ("", *YAML_SUFFIXES)
    chosen: dict[tuple[str, str], tuple[int, str]] = {}
    for file in files:
        inner = _inner(file)
        owner = _without_suffix(inner[1]) if len(inner) == 2 else inner[1]
        key = (file.name.split("/")[0] + inner[0], owner)
        rank = -1 if len(inner) > 2 else order.index(_suffix(inner[1]))
        if key not in chosen or rank < chosen[key][0]:
            chosen[key] = rank, file.name
    return {key: name for key, (rank, name) in chosen.items() if rank >= 0}


def _inner(file: SourceFile) -> tuple[str, ...]:
    return PurePosixPath(file.name).parts[1:]


def _suffix(name: str) -> str:
    suffix = PurePosixPath(name).suffix
    return suffix if suffix in YAML_SUFFIXES else ""


def _without_suffix(name: str) -> str:
    return name.removesuffix(_suffix(name))
