"""YAML text to plain values, each key with the line it stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import yaml

from rmqops.errors import Problem
from rmqops.model.topology import Value

if TYPE_CHECKING:
    from yaml.loader import SafeLoader

_Loader: type[SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Origin:
    """Where a key stands."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Mapped:
    """A mapping of a YAML file: its values, nested ones as :class:`Mapped`, and the place of each key."""

    entries: Mapping[str, Mapped | Value]
    origins: Mapping[str, Origin]

    def plain(self) -> dict[str, Value]:
        """Return the values alone."""
        return {key: entry.plain() if isinstance(entry, Mapped) else entry for key, entry in self.entries.items()}


EMPTY = Mapped({}, {})


def read(file: str, text: str) -> tuple[Mapped, list[Problem]]:
    """Read a YAML document that must be a mapping; an empty one is an empty mapping."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return EMPTY, []
        problems: list[Problem] = []
        if not isinstance(node, yaml.MappingNode):
            found = str(node.value)[:60] if isinstance(node, yaml.ScalarNode) else "a list"
            return EMPTY, [
                Problem(file, None, None, found, "is not a mapping of keys to values", "Write it as `key: value`")
            ]
        return _mapping(file, node, loader, problems), problems
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        what = f"is not YAML: {error.problem or error.context}"
        return EMPTY, [Problem(f"{file}:{line}", None, None, "", what, "Mend the line, or the one above it")]
    except yaml.YAMLError as error:
        return EMPTY, [Problem(file, None, None, "", f"is not YAML: {error}", "Save it as UTF-8 text")]
    finally:
        loader.dispose()


def _mapping(file: str, node: yaml.MappingNode, loader: SafeLoader, problems: list[Problem]) -> Mapped:
    loader.flatten_mapping(node)
    entries: dict[str, Mapped | Value] = {}
    origins: dict[str, Origin] = {}
    for key_node, value_node in node.value:
        key = str(loader.construct_object(key_node, deep=True))
        origin = Origin(file, key_node.start_mark.line + 1)
        if key in entries:
            problems.append(
                Problem(
                    str(origin),
                    None,
                    key,
                    "",
                    f"stands twice in one mapping (first in line {origins[key].line}), and the last one would win",
                    "Keep one of them",
                )
            )
        origins[key] = origin
        if isinstance(value_node, yaml.MappingNode):
            entries[key] = _mapping(file, value_node, loader, problems)
            continue
        try:
            entries[key] = cast("Value", loader.construct_object(value_node, deep=True))
        except yaml.constructor.ConstructorError:
            entries[key] = None
            problems.append(
                Problem(
                    str(origin),
                    None,
                    key,
                    value_node.tag,
                    "has a tag that rmqops cannot read",
                    "Write the value itself, or take it from the environment: {{ lookup('env', 'NAME') }}",
                )
            )
    return Mapped(entries, origins)
