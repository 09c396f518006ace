"""Every error that rmqops raises on purpose, and the exit code each one ends with.

::

    RmqopsError                  1
    ├── OperationFailed          1   a command ran and did not reach its goal
    │   └── HostUnreachable      1   a host does not answer, or the connection was lost
    ├── UsageError               2   the command line itself is wrong
    ├── InventoryError           3   an inventory or config; carries every problem found
    ├── PreflightFailed          4   the machine or a host cannot do what was asked
    │   ├── ToolMissing          4   a program that must be installed first
    │   ├── HostKeyUnknown       4   a host that nobody has vouched for yet
    │   ├── HostKeyChanged       4   a host that shows another key than the one that is known
    │   ├── LoginRefused         4   a host lets nobody in with the keys at hand
    │   └── BecomeRefused        4   sudo does not let the login user become another
    ├── Unsafe                   5   refused: it could lose messages or touch what is not ours
    ├── Inconclusive             6   nothing was proven, neither way
    ├── HealFailed               7   a fault may still be in force
    ├── SourceError              1   fetching, verifying or building RocketMQ
    │   └── DigestMismatch       1   the bytes are not the release
    └── RemotingError            1   talking to a NameServer or broker
        ├── ConnectFailed        1   nothing listens there, or it refused
        ├── ConnectionLost       1   closed while requests were under way
        ├── RequestTimeout       1   no answer in time
        ├── ProtocolError        1   the peer sent what is not a RocketMQ frame
        └── BrokerError          1   the peer answered with a code that is not success

A message names what was wrong, where, what was found, and ends with the remedy where there is one. A host that
refuses us for good (its key, our key, sudo) is a failed preflight at any moment, since trying again changes
nothing; one that does not answer is a failed operation, also before the first step. Only ``rmqops.cli`` turns
these into text and an exit code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

EXIT_INTERRUPTED: Final = 130
"""The exit code where Ctrl-C or a signal like it has ended a command in order."""


class RmqopsError(Exception):
    """Base of the tree; ``remedy`` is one sentence that says what to do."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, remedy: str | None = None, detail: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.detail = detail
        """Longer evidence, such as the tail of a log; printed after the message."""

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message


class OperationFailed(RmqopsError):
    """A command ran and did not reach its goal."""


class HostUnreachable(OperationFailed):
    """A host does not answer, or the connection to it was lost; what ran there may be running still."""


class UsageError(RmqopsError):
    """The command line is wrong."""

    exit_code = 2


Severity = Literal["error", "warning", "placeholder"]
"""A placeholder is what a sample leaves to be filled in: fine for rendering, refused by deploy."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong with an inventory or config."""

    file: str
    host: str | None
    key: str | None
    found: str
    message: str
    remedy: str
    severity: Severity = "error"

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.file, self.host, self.key) if part)
        found = f" (found {self.found})" if self.found else ""
        return f"{where}: {self.message}{found}. {self.remedy}"


class InventoryError(RmqopsError):
    """An inventory or config is wrong; nothing was touched."""

    exit_code = 3

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = sum(problem.severity == "error" for problem in problems)
        super().__init__(
            f"{count} problem{'s' if count != 1 else ''} in the inventory; nothing was touched",
            detail="\n".join(str(problem) for problem in problems if problem.severity == "error"),
        )


class PreflightFailed(RmqopsError):
    """The machine or a host cannot do what was asked."""

    exit_code = 4


class ToolMissing(PreflightFailed):
    """A program that must be installed first."""


class HostKeyUnknown(PreflightFailed):
    """No known_hosts file has a key of the host; ``host`` is as an inventory or a jump names it."""

    def __init__(
        self,
        host: str,
        *,
        name: str,
        key_type: str,
        fingerprint: str,
        key: str,
        file: str,
        askable: bool = True,
        also: Sequence[str] = (),
    ) -> None:
        then = f"give --accept-new-host-keys; it goes into {file}"
        if not askable:
            then = f"add it to {file or 'a known_hosts file'} yourself, as StrictHostKeyChecking says"
        super().__init__(
            f"{host}: nobody has vouched for its host key yet: {key_type} {fingerprint}",
            remedy=f"compare it with what ssh-keygen -lf says on the host's console, then {then}",
            detail="\n".join(also) or None,
        )
        self.host = host
        self.name = name
        """How known_hosts names it: ``host``, or ``[host]:port`` where the port is not 22."""
        self.key_type = key_type
        self.fingerprint = fingerprint
        """``SHA256:…``, as ssh-keygen prints it."""
        self.key = key
        """The key itself in base64."""
        self.file = file
        """The known_hosts file that ssh would write it to."""
        self.askable = askable
        """Whether it may be accepted on the spot; not with ``StrictHostKeyChecking=yes``."""


class HostKeyChanged(PreflightFailed):
    """The host shows another key than known_hosts has, or one that is marked as revoked."""


class LoginRefused(PreflightFailed):
    """The host lets nobody in with the keys at hand."""


class BecomeRefused(PreflightFailed):
    """Sudo does not let the login user become the one that the inventory says."""


class Unsafe(RmqopsError):
    """Refused, because it could lose messages or touch what is not ours."""

    exit_code = 5


class Inconclusive(RmqopsError):
    """Nothing was proven, neither way."""

    exit_code = 6


class HealFailed(RmqopsError):
    """A fault may still be in force."""

    exit_code = 7


class SourceError(RmqopsError):
    """Fetching, verifying or building RocketMQ failed."""


class DigestMismatch(SourceError):
    """The bytes are not those of the release."""


class RemotingError(RmqopsError):
    """Talking to a NameServer or broker failed."""


class ConnectFailed(RemotingError):
    """Nothing listens there, or it refused."""


class ConnectionLost(RemotingError):
    """The connection closed while requests were under way."""


class RequestTimeout(RemotingError):
    """No answer came in time."""


class ProtocolError(RemotingError):
    """The peer sent what is not a RocketMQ frame."""


class BrokerError(RemotingError):
    """The peer answered with a code that is not success."""

    def __init__(self, code: int, remark: str | None, *, address: str, request: str) -> None:
        super().__init__(f"{address} answered {request} with code {code}: {remark or 'no remark'}")
        self.code = code
        self.remark = remark
        self.address = address
