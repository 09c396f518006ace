"""One operator at a time: a cluster's lock lies on its own NameServers' machines, not on an operator's.

It is ``flock`` on a file, held by a process there that is sent a *pulse* every :data:`PULSE` seconds and lets go
when none came for :data:`PATIENCE`: so the lock of a controller that is dead, asleep or cut off ends by itself
within a minute. Each pulse is answered, so the controller knows how long it has the lock for certain.

The file lies where no other account can put, read or write anything: for root in ``/run/rmqops``; for others in
their home directory, else in the directory of their session, else in one of ``/tmp`` that they alone can enter.
"""

from __future__ import annotations

import getpass
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from rmqops.errors import HostUnreachable, OperationFailed, RmqopsError, Unsafe
from rmqops.model.commands import Command
from rmqops.model.topology import Instance, Topology
from rmqops.system import parallel, waiting
from rmqops.transport.base import Running, Transports, check, transport_for

PULSE: Final = 5.0
"""Seconds from one pulse to the next."""
PATIENCE: Final = 50
"""Seconds without a pulse after which a machine looks once more, and lets go; with that look, within a minute."""
CERTAIN: Final = 45.0
"""Seconds for which an answered pulse proves the lock, from when it was sent: less than any machine waits."""
ANSWER_WITHIN: Final = 15.0
"""Seconds for a machine to prove a lock of which nothing was heard for so long, as on a controller that slept."""

# `$1` is the cluster. A directory counts when it is ours and no link; then nobody else may enter it. A home that
# several machines share has a file for each of them.
_PLACE = """
exec 2>&1
umask 077
export LC_ALL=C
ours_alone() {
  mkdir -p -m 700 "$1" 2> /dev/null
  [ "$(stat -c '%u %F' "$1" 2> /dev/null)" = "$(id -u) directory" ] && chmod 700 "$1" && [ -w "$1" ]
}
place() {
  if [ "$(id -u)" = 0 ]; then set -- /run/rmqops
  else set -- "${HOME:-/nonexistent}/.local/state/rmqops/locks" "/run/user/$(id -u)/rmqops" "/tmp/rmqops-$(id -u)"
  fi
  for dir; do ! ours_alone "$dir" || return 0; done
  echo "no directory for the lock is one that user $(id -u) alone can enter:" $(ls -ld "$@" 2>&1)
  return 1
}
command -v flock > /dev/null || { echo "there is no flock (util-linux)"; exit 1; }
place || exit 1
file=$dir/$1.$(uname -n).lock
"""

# $1 cluster, $2 who, $3 seconds without a pulse. The file goes with its holder, and who breaks the lock removes
# it: so one that was opened just before that is no lock any more, and its number tells. A pulse that came while
# this machine was too busy to look is found by a second look. Who only looks at the lock has it for a moment.
_HOLD = (
    _PLACE
    + """
there() { [ "$(stat -L -c %i /proc/self/fd/9)" = "$(stat -c %i "$file" 2> /dev/null)" ]; }
pulse() { timeout "$1" /bin/sh -c 'read -r _' 9>&-; }
free() { flock -n 9 || { sleep 0.2 2> /dev/null || sleep 1; flock -n 9; }; }
while :; do
  exec 9>> "$file"
  free
  case $? in
    0) ! there || break ;;
    1) echo "busy $(head -n 1 "$file" 2> /dev/null)"; exit 0 ;;
    *) exit 1 ;;
  esac
done
: > "$file"
printf '%s\\n' "$2" >&9
echo held
while pulse "$3" || pulse 5; do
  there || { echo "broken $(tail -n 1 /proc/self/fd/9)"; exit 0; }
  echo held
done
! there || rm -f "$file"
"""
)

# $1 cluster, $2 who breaks it; nobody when empty.
_LOOK = (
    _PLACE
    + """
[ -e "$file" ] || { echo free; exit 0; }
exec 9>> "$file"
who=$(head -n 1 "$file")
if flock -n 9; then echo free
else echo "busy $who"; [ -z "$2" ] || printf '%s\\n' "$2" >&9; fi
[ -z "$2" ] || rm -f "$file"
"""
)


class _Session:
    """The lock on one machine, and the two threads that keep it and hear of it."""

    def __init__(self, host: str, running: Running, lines: Iterator[str], opened: float) -> None:
        self.host = host
        self.broken: str | None = None
        """Who has broken it, if anybody has."""
        self.ended: str | None = None
        """Why it is not held there any more, when it is not."""
        self._running = running
        self._lines = lines
        self._certain = opened
        self._unanswered: deque[float] = deque()
        self._closing = threading.Event()
        for work in (self._beat, self._listen):
            threading.Thread(target=work, name=f"lock on {host}", daemon=True).start()

    @property
    def certain(self) -> bool:
        """Whether it is known to be held there still."""
        return self.ended is None and time.monotonic() - self._certain < CERTAIN

    def close(self) -> None:
        """Send no more pulses."""
        self._closing.set()

    def _beat(self) -> None:
        while not self._closing.wait(PULSE) and self.ended is None:
            self._unanswered.append(time.monotonic())
            try:
                self._running.tell(b"\n")
            except RmqopsError:  # it does not read, and so does not answer
                with suppress(IndexError):
                    self._unanswered.pop()

    def _listen(self) -> None:
        try:
            for line in self._lines:
                if line == "held":
                    with suppress(IndexError):
                        self._certain = self._unanswered.popleft()
                elif line.startswith("broken "):
                    self.broken = line.removeprefix("broken ")
        except RmqopsError as error:
            self.ended = error.message
        except (OSError, ValueError) as error:  # it did not end when it was closed, and was let go of
            self.ended = f"{self.host}: {error}"
        else:
            self.ended = f"{self.host}: its process there has ended"


class Lock:
    """A cluster's lock that is held."""

    def __init__(self, topology: Topology, sessions: Sequence[_Session]) -> None:
        self._topology = topology
        self._sessions = sessions

    def check(self) -> None:
        """Make sure that it is held still: to be called before each step of what it was taken for.

        One machine that holds it is enough, since whoever else wants it asks them all.

        Raises:
            OperationFailed: it was broken or lost; says by whom, or why. What was done stays done.
        """
        for session in self._sessions:
            if session.broken is not None:
                raise self._lost(f"was broken by {session.broken}")
        if self._uncertain() is None:
            return
        try:
            waiting.until_sync("the lock", self._uncertain, ANSWER_WITHIN, interval=0.1)
        except OperationFailed as error:
            reasons = [item.ended or f"{item.host} does not answer" for item in self._sessions]
            raise self._lost("was lost", "\n".join(reasons)) from error

    def _uncertain(self) -> str | None:
        return None if any(session.certain for session in self._sessions) else "no machine says that it is held"

    def _lost(self, how: str, detail: str | None = None) -> OperationFailed:
        return OperationFailed(
            f"the lock of cluster {self._topology.cluster} {how}; this has ended before its next step",
            detail=detail,
            remedy="see that nobody else works on it, and run the same command again; it goes on from here",
        )


@contextmanager
def held(topology: Topology, purpose: str, transports: Transports = transport_for) -> Iterator[Lock]:
    """Hold a cluster's lock while the block runs.

    It is taken on the machine of every NameServer that can be reached, in the inventory's order, so that two
    operators meet on at least one of them; a machine that is down does not stand in the way.

    Raises:
        Unsafe: somebody else holds it; says who, since when and for what.
        OperationFailed: a machine has no place for it; says why.
        HostUnreachable: not one machine of a NameServer can be reached.
    """
    who = f"{_who()}: rmqops {purpose}"
    with ExitStack() as stack:
        unreachable: HostUnreachable | None = None
        sessions: list[_Session] = []
        for instance in machines(topology):
            transport = transports(instance)
            opened = time.monotonic()
            try:
                running = stack.enter_context(transport.open(hold_command(topology, who), talk=True))
                lines = iter(running)
                answer = next(lines, "")
            except HostUnreachable as error:
                unreachable = error
                continue
            if answer == f"busy {who}":
                continue  # it is ours: two names of one machine
            if answer != "held":
                raise _refused(topology, transport.host, answer, lines)
            sessions.append(_Session(transport.host, running, lines, opened))
            stack.callback(sessions[-1].close)
        if not sessions and unreachable:
            raise unreachable
        yield Lock(topology, sessions)


def hold_command(topology: Topology, who: str) -> Command:
    """Return what holds the lock on one machine, for as long as it is sent lines: the pulses.

    It says ``held``, and so again for each of them; ``busy`` and who has it, and ends; ``broken`` and by whom, and
    ends; or why it cannot be had.
    """
    return Command.shell(_HOLD, topology.cluster, who, str(PATIENCE))


@dataclass(frozen=True)
class Seen:
    """What one machine says of a cluster's lock."""

    host: str
    holder: str | None = None
    """Who holds it there, since when and for what; None when nobody does."""
    error: str | None = None
    """Why it could not be asked."""


def look(topology: Topology, transports: Transports = transport_for) -> tuple[Seen, ...]:
    """Ask the machine of every NameServer who holds a cluster's lock; changes nothing."""
    return _ask(topology, "", transports)


def break_open(topology: Topology, transports: Transports = transport_for) -> tuple[Seen, ...]:
    """Take a cluster's lock from whoever holds it, on every machine that can be asked; return who held it.

    It is free at once. A holder that lives hears of it with its next pulse, and ends before its next step.
    """
    return _ask(topology, f"rmqops unlock by {_who()}", transports)


def machines(topology: Topology) -> tuple[Instance, ...]:
    """Return an instance on each machine that a cluster's lock lies on, in the inventory's order."""
    first = {instance.machine: instance for instance in reversed(topology.nameservers)}
    return tuple(reversed(first.values()))


def _ask(topology: Topology, breaking: str, transports: Transports) -> tuple[Seen, ...]:
    def ask(instance: Instance) -> Seen:
        transport = transports(instance)
        try:
            answer = check(transport.run(Command.shell(_LOOK, topology.cluster, breaking)), transport.host).stdout
        except RmqopsError as error:
            return Seen(transport.host, error="\n".join(filter(None, (error.message, error.detail))))
        state, _, who = answer.strip().partition(" ")
        return Seen(transport.host, holder=who or "somebody who has not said who" if state == "busy" else None)

    return tuple(parallel.mapped(ask, machines(topology)))


def _who() -> str:
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"{getpass.getuser()}@{socket.gethostname()} (process {os.getpid()}) since {now}"


def _refused(topology: Topology, host: str, answer: str, rest: Iterator[str]) -> RmqopsError:
    if answer.startswith("busy"):
        who = answer.removeprefix("busy").strip() or "who has not said who"
        return Unsafe(
            f"somebody works on cluster {topology.cluster}: {who}",
            remedy="wait until that has ended, and run the same command again; the lock of one that was killed or "
            f"cut off ends within a minute, or at once by rmqops unlock --inventory {topology.inventory}",
        )
    return OperationFailed(
        f"{host}: the lock of cluster {topology.cluster} cannot be taken there; nothing was touched",
        detail="\n".join([answer, *rest]).strip() or None,
        remedy="mend what it says; the lock lies in a directory that the login user, or root, alone can enter",
    )
