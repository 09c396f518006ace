"""The dead-man heal: a heal that lies armed on the host before its fault does. PURE: only commands.

A fault must end even if rmqops, its machine or its network dies. So before a fault is put in force, its heal is
written to ``<instance directory>/heals/<fault id>.sh``, and a detached process on the same host sleeps until
the deadline and then runs it. That process is a session of its own, and is known by its command line alone
(``-Drmqops.heal=<that path without .sh>``): a pid is never stored, so a recycled one is never signalled.

A heal that fires and succeeds removes its file; one that fails tries again every 5 s for an hour, and leaves file
and log for ``rmqops chaos heal``, which needs nothing but these files.
"""

from __future__ import annotations

import shlex

from rmqops.chaos.mechanisms import bounded_wait, process_marks
from rmqops.model.commands import Command
from rmqops.model.topology import Instance

RETRY_SECONDS = 3600
"""How long a heal that fails is tried again; one try may take as long as the start of an instance."""
SLEEPER_SECONDS = 10
"""How long the sleeper may take to be there, and to be gone; a host that a fault burdens is slow to start one."""

# $1 path without .sh, $2 seconds until it heals, $3 seconds for which it tries again
SLEEPER = (
    bounded_wait.SHELL
    + """
sleep "$2"
within "$3"
until [ ! -f "$1.sh" ] || /bin/sh "$1.sh"; do
  ! overdue || exit 1
  sleep 5
done
rm -f "$1.sh" "$1.log"
rmdir "$(dirname "$1")" 2>/dev/null || :
"""
)

# $1 path without .sh, $2 seconds until it heals, $3 seconds for which it tries again, $4 the heal, $5 the sleeper
_ARM = (
    process_marks.BEARERS
    + """
mkdir -p "$(dirname "$1")" || exit 1
[ ! -e "$1.sh" ] || { echo "$1.sh is armed already" >&2; exit 1; }
printf '%s\\n' "$4" > "$1.new" && mv "$1.new" "$1.sh" || exit 1
setsid nohup /bin/sh -c "$5" rmqops "$1" "$2" "$3" "-Drmqops.heal=$1" > "$1.log" 2>&1 < /dev/null &
wait_until bears "$!" "-Drmqops.heal=$1" ||
  { echo "the heal $1 could not be armed" >&2; cat "$1.log" >&2; rm -f "$1.sh"; exit 1; }
"""
)

# $1 path without .sh. The sleeper leads a process group; a child of its that has not become `sleep` yet looks like
# it, and goes with it.
_DISARM = (
    process_marks.BEARERS
    + """
ended() {
  pids=$(bearers "-Drmqops.heal=$1")
  [ -n "$pids" ] || return 0
  for pid in $pids; do kill -s KILL -- "-$pid" 2> /dev/null; done
  return 1
}
if [ -e "$1.sh" ]; then echo armed; else echo gone; fi
wait_until ended "$1" || { echo "the sleeper of the heal $1 cannot be ended" >&2; exit 1; }
rm -f "$1.sh" "$1.new" "$1.log"
rmdir "$(dirname "$1")" 2>/dev/null
[ ! -e "$1.sh" ]
"""
)

_ARMED = """
for file in "$1"/heals/*.sh; do
  [ -f "$file" ] || continue
  name=${file##*/}
  echo "${name%.sh}"
done
"""


def _path(instance: Instance, fault: str) -> str:
    return f"{instance.home}/heals/{fault}"


def arm(instance: Instance, fault: str, cure: Command, seconds: float) -> Command:
    """Return a Command that arms a heal, to fire after ``seconds``; it exits 0 only when its sleeper was seen."""
    head = f"#!/bin/sh\n# Heals the fault {fault} on {instance.name}. Written by rmqops chaos.\nexport LC_ALL=C\n"
    script = head + shlex.join(cure.argv)
    arguments = (_path(instance, fault), f"{seconds:.3f}", str(RETRY_SECONDS), script, SLEEPER)
    return bounded_wait.command(_ARM, *arguments, seconds=SLEEPER_SECONDS)


def disarm(instance: Instance, fault: str) -> Command:
    """Return a Command that disarms a heal and removes its files; prints ``armed``, or ``gone`` if none was."""
    return bounded_wait.command(_DISARM, _path(instance, fault), seconds=SLEEPER_SECONDS)


def armed(instance: Instance) -> Command:
    """Return a Command that prints the id of every fault whose heal lies armed for an instance, one a line."""
    return Command.shell(_ARMED, instance.home)


def fire(instance: Instance, fault: str, timeout: float) -> Command:
    """Return a Command that runs an armed heal now; it stays armed until :func:`disarm`."""
    return Command(("/bin/sh", f"{_path(instance, fault)}.sh"), timeout=timeout)
