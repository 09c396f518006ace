"""Jinja for templates that strangers may have written: in Jinja's sandbox, and bounded in steps and size. PURE.

The sandbox keeps a template from Python's insides. It does not keep it from running for hours or filling the
memory, and neither a signal nor a deadline would: one multiplication can take both, and templates are resolved
in threads. So everything that can repeat or grow is counted before it is done: turns of loops, calls, filters,
and the size of what they take and give. What is left for one step to do is in proportion to :data:`MAX_SIZE`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Final, cast

from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_STEPS: Final = 200_000
"""Turns, calls and filters of one template; a fleet of a thousand hosts needs some 10,000 for its peers."""
MAX_SIZE: Final = 1 << 20
"""Characters and items of a value, those of its lists and mappings together."""
MAX_GROWTH: Final = 16 * MAX_SIZE
"""What a method or filter could at most make of what it is given."""
MAX_NUMBER: Final = 1_000_000
"""Largest number that a filter or a method takes, such as a width."""
MAX_BITS: Final = 4096
"""Size of a number."""

_WIDE: Final = re.compile(r"[{%][^{}\s]*\d{7,}|\{[^{}]*\{")
"""A format with a width of millions, or one that is taken from an argument."""
_FORMATS: Final = {"format", "format_map", "do_format"}
_COUNTED: Final = "rmqops_counted"
_MEASURED: Final = "rmqops_measured"
_GROWING: Final = (nodes.Concat, nodes.List, nodes.Tuple, nodes.Dict)
_STEPS: ContextVar[list[int] | None] = ContextVar("steps", default=None)


class TooMuch(SecurityError):
    """A template that does more than any inventory needs."""


@contextmanager
def counted() -> Iterator[None]:
    """Count the steps of a template afresh; those of one that it uses are that one's own."""
    token = _STEPS.set([0])
    try:
        yield
    finally:
        _STEPS.reset(token)


def concatenated(parts: Iterable[object]) -> str:
    """Join the parts of a text as far as it may become long.

    Raises:
        TooMuch: it would be longer than :data:`MAX_SIZE`.
    """
    texts: list[str] = []
    size = 0
    for part in parts:
        texts.append(str(part))
        size += len(texts[-1])
        if size > MAX_SIZE:
            raise TooMuch(f"makes a text of more than {MAX_SIZE} characters")
    return "".join(texts)


def measured(value: Any) -> Any:  # noqa: ANN401 - any value of a template
    """Return a value that is not too large; what yields one item after the other is counted as it does.

    Raises:
        TooMuch: it is.
    """
    if isinstance(value, Iterator):
        return _counted(value)
    _size(value)
    return value


def _size(value: object) -> int:
    size = 0
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str | bytes):
            size += len(item)
        elif isinstance(item, int) and item.bit_length() > MAX_BITS:
            raise TooMuch(f"makes a number of more than {MAX_BITS} bits")
        elif isinstance(item, dict):
            size += len(item)
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple | set | frozenset):
            size += len(item)
            waiting += item
        if size > MAX_SIZE:
            raise TooMuch(f"makes a value of more than {MAX_SIZE} items or characters")
    return size


def _step() -> None:
    steps = _STEPS.get()
    if steps is not None:
        steps[0] += 1
        if steps[0] > MAX_STEPS:
            raise TooMuch(f"takes more than {MAX_STEPS} steps")


def _counted(items: Iterable[object]) -> Iterator[object]:
    size = 0
    for item in items:
        _step()
        size += _size(item)
        if size > MAX_SIZE:
            raise TooMuch(f"makes a value of more than {MAX_SIZE} items or characters")
        yield item


def _turns(items: Any) -> Any:  # noqa: ANN401 - what a loop goes over
    """Count a loop's turns; ``loop.length`` needs what has a length, and an undefined one is Jinja's to refuse."""
    if isinstance(items, Undefined):
        return items
    if not hasattr(items, "__len__"):
        return _counted(items)
    for _ in range(len(items)):
        _step()
    return items


def _refuse_growth(function: object, subject: object, arguments: Iterable[object]) -> None:
    """Refuse arguments by which a method or a filter would make much out of little.

    What grows multiplies: by a width or a count, or a text is put between or in the place of others.
    """
    factor = 1
    for argument in arguments:
        factor = max(factor, _factor(argument))
    if isinstance(subject, str) and getattr(function, "__name__", "") in _FORMATS and _WIDE.search(subject):
        raise TooMuch("formats with a width that is too large or not written out")
    if (_factor(subject) + 1) * factor > MAX_GROWTH:
        raise TooMuch(f"could make a value of more than {MAX_GROWTH} characters")


def _factor(argument: object) -> int:
    if isinstance(argument, int):
        if abs(argument) > MAX_NUMBER:
            raise TooMuch(f"takes the number {argument}, which is more than {MAX_NUMBER}")
        return abs(argument)
    return MAX_STEPS if isinstance(argument, Iterator) else _size(argument)


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that counts as a step and is held to what it may take and give."""
    passes = getattr(function, "jinja_pass_arg", None)

    @wraps(function)
    def guarded(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - any filter
        _step()
        subject, *rest = arguments[1:] if passes else arguments
        if isinstance(subject, int):  # a number is formatted or calculated with, and makes nothing long
            subject = ""
        _refuse_growth(function, subject, [*rest, *options.values()])
        return measured(function(*arguments, **options))

    return guarded


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, in which nothing is without an end."""

    intercepted_binops = frozenset({"*", "**", "%", "+"})
    concat = staticmethod(concatenated)

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - Jinja's signature
        super().__init__(**options)
        self.globals.pop("lipsum", None)
        self.filters = {name: _guarded(function) for name, function in self.filters.items()}
        self.filters |= {_COUNTED: _turns, _MEASURED: measured}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return cast("nodes.Template", _bounded(super()._parse(source, name, filename)))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401
        """Calculate, where the result is no larger than a value may be."""
        _step()
        if operator == "**" and isinstance(left, int) and isinstance(right, int):
            if left.bit_length() * abs(right) > MAX_BITS:
                raise TooMuch(f"makes a number of more than {MAX_BITS} bits")
        elif operator == "*" and isinstance(left, int) is not isinstance(right, int):
            times, repeated = (left, right) if isinstance(left, int) else (right, left)
            if isinstance(times, int) and (_size(repeated) + 1) * times > MAX_SIZE:
                raise TooMuch(f"makes a value of more than {MAX_SIZE} items or characters")
        elif operator == "%" and isinstance(left, str):
            _refuse_growth(str.format, left, right if isinstance(right, tuple) else [right])
        return measured(super().call_binop(context, operator, left, right))

    def call(self, context: Any, obj: Any, /, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        """Call what the sandbox lets a template call, as a step that is held to what it may take and give."""
        _step()
        subject = getattr(getattr(obj, "__wrapped__", obj), "__self__", None)
        text = subject if isinstance(subject, str | bytes) else ""
        _refuse_growth(obj, text, [*arguments, *options.values()])
        return measured(super().call(context, obj, *arguments, **options))


def _bounded(node: nodes.Node) -> nodes.Node:
    """Put the counting of turns, and the measuring of what grows, into a template's tree."""
    for field, value in list(node.iter_fields()):
        if isinstance(value, nodes.Node):
            setattr(node, field, _bounded(value))
        elif isinstance(value, list):
            inside = [_bounded(item) if isinstance(item, nodes.Node) else item for item in value]
            setattr(node, field, inside)
    if isinstance(node, nodes.For):
        if node.recursive:
            raise TooMuch("has a recursive loop")
        node.iter = _filtered(node.iter, _COUNTED)
    if isinstance(node, _GROWING) and getattr(node, "ctx", "load") == "load":
        return _filtered(node, _MEASURED)
    return node


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno, environment=node.environment)
