"""One file a check. PURE: from a history to a verdict.

A module here is a check of its name: it holds ``check(history, bounds)``, which returns its result, or None
where a drill of this kind has nothing to judge. Adding one is adding a file. A check judges nothing that it did
not see: what it cannot tell is ``inconclusive``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from rmqops.chaos.history.reader import History
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.verdict import CheckResult

Check = Callable[[History, Bounds], CheckResult | None]


def discover() -> dict[str, Check]:
    """Return every check by its name, in order of names."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name: importlib.import_module(f"{__name__}.{name}").check for name in names}
