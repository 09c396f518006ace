"""Where a change under way tells how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rmqops.operations.change.playbook import Listener
from rmqops.system.progress import Say


@dataclass(frozen=True)
class Progress:
    """What every step of a change is handed."""

    log: Path
    """Ansible's own output is appended to it."""
    listener: Listener
    """Told of each event of a playbook."""
    say: Say
    """Told of each step, in a few words."""
    go_on: Callable[[], None] = lambda: None
    """Called before each step; raises when the change must end there, since its lock was lost."""
