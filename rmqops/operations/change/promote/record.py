"""The record of a promotion on the new master's host, by which an interrupted one is gone on with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from rmqops.errors import RmqopsError
from rmqops.model.commands import Command
from rmqops.model.topology import Instance
from rmqops.transport.base import Transport, check

_FILE = "promoted"
"""In the instance's directory, which is not the service's: a line with the three fields."""

_UNFINISHED: Final[tuple[Literal["pending", "returning"], ...]] = ("pending", "returning")
_LONGEST: Final = len(str(2**63))

_READ = f'cat "$1/{_FILE}" 2>/dev/null || :'
_REMOVE = f'rm -f "$1/{_FILE}"'


@dataclass(frozen=True)
class PromotionRecord:
    """What is known of the moment at which an instance was made master."""

    log_end: int
    """Where its log ended."""
    old_master: str
    """In whose stead."""
    state: Literal["pending", "complete", "returning"]
    """Pending until what the old master's log holds beyond that place has been set aside; returning when the
    instance was level and is stopped, to give the role back."""

    @property
    def pending_log_end(self) -> int | None:
        """Where its log ended; None once that does not matter any more."""
        return self.log_end if self.state == "pending" else None


def write(instance: Instance, record: PromotionRecord, transport: Transport) -> None:
    """Put a record in the place of the one that is there.

    Raises:
        OperationFailed: it could not be written.
    """
    content = f"{record.log_end} {record.old_master} {record.state}\n".encode()
    transport.put(content, f"{instance.home}/{_FILE}", 0o644)


def read(instance: Instance, transport: Transport) -> PromotionRecord | None:
    """Return an instance's record; None where there is none, or its host cannot be asked."""
    try:
        words = check(transport.run(Command.shell(_READ, instance.home)), transport.host).stdout.split()
    except RmqopsError:
        return None
    if len(words) != 3 or not words[0].isdecimal() or len(words[0]) > _LONGEST:
        return None
    unfinished = next((state for state in _UNFINISHED if state == words[2]), None)
    return PromotionRecord(int(words[0]), words[1], unfinished or "complete")


def remove(instance: Instance, transport: Transport) -> None:
    """Remove the record of a promotion that was given back.

    Raises:
        OperationFailed: it is still there.
    """
    check(transport.run(Command.shell(_REMOVE, instance.home)), transport.host)
