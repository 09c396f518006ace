"""YAML text to plain values, each key with the line it stands on.

Every text gives values or problems, never an exception: also one that is not YAML, that refers to itself, or
that a few aliases would blow up beyond any memory.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import yaml

from rmqops.errors import Problem
from rmqops.model.topology import Value

if TYPE_CHECKING:
    from yaml.loader import SafeLoader

MAX_NODES: Final = 200_000
"""Nodes of a document with its aliases written out; a fleet of a thousand hosts has about 20,000."""
MAX_DEPTH: Final = 50

_Loader: type[SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STANDARD: Final = "tag:yaml.org,2002:"
_MERGE: Final = f"{_STANDARD}merge"
_TEXT: Final = f"{_STANDARD}str"
_NULL: Final = f"{_STANDARD}null"


class Opaque(str):
    """A value that only Ansible can read, such as a vaulted one; its text is the YAML tag."""

    __slots__ = ()


class Verbatim(str):
    """A text that is no template, whatever it looks like (Ansible's ``!unsafe``)."""

    __slots__ = ()


@dataclass(frozen=True)
class Origin:
    """Where a key stands."""

    file: str
    line: int
    written: str | None = None
    """What stands there, where YAML reads another kind of value than text from it: ``04`` is the number 4."""

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

    def opaque(self) -> dict[str, Origin]:
        """Return the place of each key whose value has a tag that is not YAML's own, as :meth:`places` does."""
        found = {}
        for key, entry in self.entries.items():
            if isinstance(entry, Mapped):
                found.update({f"{key}.{nested}": origin for nested, origin in entry.opaque().items()})
            elif _has_opaque(entry):
                found[key] = self.origins[key]
        return found

    def places(self) -> dict[str, Origin]:
        """Return the place of each key, and as ``key.nested`` of each key of its mappings."""
        origins = dict(self.origins)
        for key, entry in self.entries.items():
            if isinstance(entry, Mapped):
                origins.update({f"{key}.{nested}": origin for nested, origin in entry.places().items()})
        return origins


_UNREADABLE: Final = (ValueError, LookupError, AttributeError)
"""What PyYAML raises for a text that does not fit its tag: ``!!bool x`` is a KeyError there."""
EMPTY = Mapped({}, {})


def _has_opaque(value: Value) -> bool:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, Opaque) or any(map(_has_opaque, children))


class _Refused(Exception):
    """A document that must not be unfolded; the message says why."""


def read(file: str, text: str) -> tuple[Mapped, list[Problem]]:
    """Read a YAML document that must be a mapping; an empty one is an empty mapping."""
    return examine(file, text)[:2]


def examine(file: str, text: str) -> tuple[Mapped, list[Problem], bool]:
    """Read as :func:`read`, and tell whether the text is a mapping in YAML at all, whatever is wrong with it."""
    try:
        return _read(file, text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        what = f"is not YAML: {error.problem or error.context}"
        problem = Problem(f"{file}:{line}", None, None, "", what, "Mend the line, or the one above it")
        return EMPTY, [problem], False
    except yaml.YAMLError as error:
        what = f"is not YAML: {' '.join(str(error).split())}"
        return EMPTY, [Problem(file, None, None, "", what, "Save it as UTF-8 text")], False
    except _Refused as error:
        return EMPTY, [Problem(file, None, None, "", str(error), "Write the values out")], True
    except _UNREADABLE as error:
        what = f"holds a value that cannot be read: {error}"
        return EMPTY, [Problem(file, None, None, "", what, "Put the value in quotes")], True


def _read(file: str, text: str) -> tuple[Mapped, list[Problem], bool]:
    _refuse_depth(text)
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None or node.tag == _NULL:
            return EMPTY, [], True
        if not isinstance(node, yaml.MappingNode):
            value = str(node.value)[:60] if isinstance(node, yaml.ScalarNode) else "a list"
            remedy = "Write it as `key: value`"
            problem = Problem(file, None, None, value, "is not a mapping of keys to values", remedy)
            return EMPTY, [problem], False
        _measure(node, {}, ())
        problems: list[Problem] = []
        return _mapping(file, node, loader, problems), problems, True
    finally:
        loader.dispose()


_TOO_DEEP = f"is nested more than {MAX_DEPTH} levels deep"


def _refuse_depth(text: str) -> None:
    """Refuse a text that is nested too deeply, before libyaml's composer recurses into it and ends the process."""
    depth = 0
    try:
        for event in yaml.parse(text, _Loader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    raise _Refused(_TOO_DEEP)
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except yaml.MarkedYAMLError as error:
        # libyaml of PyYAML 6.0.4 has a bound of its own, and its scanner reads ahead of the events.
        if "maximum nesting depth" in str(error):
            raise _Refused(_TOO_DEEP) from error
        raise


def _measure(node: yaml.Node, known: dict[int, tuple[int, int]], within: tuple[int, ...]) -> tuple[int, int]:
    """Return the nodes and levels below one, aliases written out, before anything is unfolded."""
    if id(node) in within:
        raise _Refused("refers to itself by an alias")
    if id(node) not in known:
        children: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            children = node.value
        elif isinstance(node, yaml.MappingNode):
            children = [part for pair in node.value for part in pair]
        measured = [_measure(child, known, (*within, id(node))) for child in children]
        size = 1 + sum(size for size, _ in measured)
        depth = 1 + max((depth for _, depth in measured), default=0)
        if size > MAX_NODES or depth > MAX_DEPTH:
            raise _Refused(f"has more than {MAX_NODES} values or {MAX_DEPTH} levels with its aliases written out")
        known[id(node)] = size, depth
    return known[id(node)]


def _mapping(file: str, node: yaml.MappingNode, loader: SafeLoader, problems: list[Problem]) -> Mapped:
    problems += _doubled(file, node, loader)
    loader.flatten_mapping(node)
    entries: dict[str, Mapped | Value] = {}
    origins: dict[str, Origin] = {}
    for key_node, value_node in node.value:
        key = str(loader.construct_object(key_node, deep=True))
        written = str(value_node.value) if _is_converted(value_node) else None
        origins[key] = Origin(file, key_node.start_mark.line + 1, written)
        if isinstance(value_node, yaml.MappingNode):
            entries[key] = _mapping(file, value_node, loader, problems)
            continue
        problems += _doubled_in_list(file, value_node, loader)
        try:
            entries[key] = _plain(loader.construct_object(value_node, deep=True), value_node.tag)
        except yaml.constructor.ConstructorError:
            entries[key] = Opaque(value_node.tag)
        except _UNREADABLE as error:
            entries[key] = None
            what = f"cannot be read: {error}"
            text = str(value_node.value)
            problems.append(Problem(str(origins[key]), None, key, text, what, "Put the value in quotes"))
    return Mapped(entries, origins)


def _is_converted(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag.startswith(_STANDARD) and node.tag != _TEXT


def _doubled(file: str, node: yaml.MappingNode, loader: SafeLoader) -> list[Problem]:
    """Return a problem for each key that stands twice; one that a merge key brings may be set again."""
    lines: dict[str, int] = {}
    problems = []
    for key_node, _ in node.value:
        if key_node.tag == _MERGE:
            continue
        if not isinstance(key_node, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, "a key is a list or mapping", key_node.start_mark)
        key = str(loader.construct_object(key_node, deep=True))
        line = key_node.start_mark.line + 1
        if key in lines:
            what = f"stands twice in one mapping (first in line {lines[key]}), and the last one would win"
            problems.append(Problem(f"{file}:{line}", None, key, "", what, "Keep one of them"))
        lines.setdefault(key, line)
    return problems


def _doubled_in_list(file: str, node: yaml.Node, loader: SafeLoader) -> list[Problem]:
    """Return a problem for each key that stands twice in a mapping that is in a list."""
    if isinstance(node, yaml.SequenceNode):
        return [problem for item in node.value for problem in _doubled_in_list(file, item, loader)]
    if isinstance(node, yaml.MappingNode):
        values = [problem for _, value in node.value for problem in _doubled_in_list(file, value, loader)]
        return _doubled(file, node, loader) + values
    return []


def _plain(value: object, tag: str) -> Value:
    """Return a value of JSON's types; a date becomes its text, and what has no such form is opaque."""
    if isinstance(value, list):
        return [_plain(item, tag) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item, tag) for key, item in value.items()}
    if isinstance(value, datetime.date):
        return value.isoformat()
    if value is None or isinstance(value, bool | int | float | str):
        return cast("Value", value)
    return Opaque(tag)
