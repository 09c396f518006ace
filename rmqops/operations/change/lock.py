"""One operator at a time: a cluster's lock lies on its own NameServers' machines, not on an operator's."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

from rmqops.errors import HostUnreachable, Unsafe
from rmqops.model.commands import Command
from rmqops.model.topology import Topology
from rmqops.transport.base import Transports, transport_for

# Held for as long as the session lives: its end, for whatever reason, is a TERM (rmqops.transport.wrapping). The
# file is removed by its holder, so one that was opened just before that is no lock any more; its number tells.
_HOLD = """
umask 0
for dir in /run/lock /tmp; do [ ! -w "$dir" ] || break; done
file=$dir/rmqops-$1.lock
exec 9>> "$file"
if ! flock -n 9 || [ "$(stat -L -c %i /proc/self/fd/9)" != "$(stat -c %i "$file" 2>/dev/null)" ]; then
  echo "busy $(cat "$file" 2>/dev/null)"
  exit 0
fi
printf '%s\\n' "$2" > "$file"
trap 'kill "$!" 2>/dev/null; rm -f "$file"; exit 0' TERM HUP INT
echo held
# Short, because a signal can be lost on a child that has not become sleep yet.
while :; do sleep 5 9>&- & wait "$!"; done
"""


@contextmanager
def held(topology: Topology, purpose: str, transports: Transports = transport_for) -> Iterator[None]:
    """Hold a cluster's lock while the block runs.

    It is taken on the machine of every NameServer that can be reached, in the inventory's order, so that two
    operators meet on at least one of them; a machine that is down does not stand in the way.

    Raises:
        Unsafe: somebody else holds it; says who, since when and for what.
        HostUnreachable: not one machine of a NameServer can be reached.
    """
    since = datetime.now(UTC)
    who = f"{getpass.getuser()}@{socket.gethostname()} since {since:%Y-%m-%d %H:%M:%S} UTC: rmqops {purpose}"
    machines = {instance.machine: instance for instance in reversed(topology.nameservers)}
    with ExitStack() as stack:
        unreachable: HostUnreachable | None = None
        machines_held = 0
        for instance in reversed(machines.values()):
            try:
                running = stack.enter_context(
                    transports(instance).open(Command.shell(_HOLD, topology.cluster, who))
                )
                answer = next(iter(running), "")
            except HostUnreachable as error:
                unreachable = error
                continue
            if answer != "held":
                raise Unsafe(
                    f"somebody works on cluster {topology.cluster}: {answer.removeprefix('busy ').strip()}",
                    remedy="wait until that has ended, and run the same command again",
                )
            machines_held += 1
        if not machines_held and unreachable:
            raise unreachable
        yield
