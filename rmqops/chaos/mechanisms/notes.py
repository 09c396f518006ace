"""What a fault writes down on its host for its own heal: beside the armed heals. PURE: only where and how.

That directory is of whoever deploys, root as a rule. Below the instance's data and logs the service itself may put
a link or a pipe under the name of a note, and root would follow it.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms.plan import Aim
from rmqops.operations.hosts import armed_heals

# `noted FILE` makes the directory of a note, `forgotten FILE` removes it when nothing else is in it.
SHELL = """
noted() { mkdir -p "${1%/*}"; }
forgotten() { rmdir "${1%/*}" 2> /dev/null || :; }
"""


def path(aim: Aim, name: str) -> str:
    """Return where a note of a fault lies on its host."""
    return f"{armed_heals.directory(aim.instance)}/{aim.fault}.{name}"
