"""One file a fault. PURE: a fault is a plan of commands, and something else runs them.

A module of this package is a fault; its name is the fault's kind. It holds the constants and the functions of
:class:`~rmqops.chaos.mechanisms.plan.Fault`. Nothing else has to know of it: a new file is a new fault.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import cast

from rmqops.chaos.mechanisms.plan import Fault, Options
from rmqops.errors import UsageError


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
