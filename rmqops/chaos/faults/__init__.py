"""One file a fault. PURE: a fault is a plan of commands, and something else runs them.

A module of this package is a fault; its name is the fault's kind. It holds the constants and the functions of
:class:`~rmqops.chaos.mechanisms.plan.Fault`. Nothing else has to know of it: a new file is a new fault.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace
from typing import cast

from rmqops.chaos.mechanisms import deadman
from rmqops.chaos.mechanisms.plan import Aim, Fault, Options
from rmqops.errors import UsageError
from rmqops.model.commands import Command


def kinds() -> tuple[str, ...]:
    """Return the kind of every fault."""
    return tuple(sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__)))


def find(kind: str) -> Fault:
    """Return the fault of a kind.

    Raises:
        UsageError: there is none.
    """
    if kind not in kinds():
        raise UsageError(f"there is no fault {kind!r}", remedy=f"use one of {', '.join(kinds())}")
    return cast("Fault", importlib.import_module(f"{__name__}.{kind.replace('-', '_')}"))


def probe(kind: str, aim: Aim) -> Command:
    """Return the probe of a fault: whether it is possible there, and whether its heal outlives our session.

    Raises:
        UsageError: there is no such fault, or it makes no sense as it is aimed.
    """
    own = find(kind).requires(aim)
    script = own.script
    assert script is not None, "a fault is probed by a script"
    return deadman.requires().then(script).command(timeout=own.timeout, become=own.become)


_ANY_PROBE_OUTPUT = "1 /"


def cure(kind: str, aim: Aim) -> Command:
    """Return what ends a fault and makes sure of it, from its kind, its id and its instance alone.

    No cure depends on options, on the load's addresses, or on what a probe printed, so that it can be told again
    when all that is over (``tests/unit/chaos/faults/test_cures.py`` holds that).

    Raises:
        UsageError: there is no such fault, or that instance cannot have it.
    """
    return find(kind).plan(replace(aim, options=options(kind, {})), _ANY_PROBE_OUTPUT).cure


def options(kind: str, given: Options) -> Options:
    """Return the options of a fault: what is given, else its defaults.

    Raises:
        UsageError: there is no such fault or option, or a value is not one of it.
    """
    known = find(kind).OPTIONS
    for name, value in given.items():
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise UsageError(f"the fault {kind} has no option {name!r}", remedy=has)
        allowed = known[name].wrong(value)
        if allowed:
            raise UsageError(f"the fault {kind}: {name} is {value!r}", remedy=f"give {allowed}")
    return {name: given.get(name, option.default) for name, option in known.items()}
