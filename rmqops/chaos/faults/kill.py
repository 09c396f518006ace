"""The process dies at once, as by the kernel's out-of-memory killer: ``kill -9``.

The process is the one that the instance's own ``bin/pid.sh`` reports (``docs/adr/0005``): a pid is never trusted
unless its command line names the instance. Its sockets are closed by the kernel, so its peers notice at once; a
machine that loses power closes none.
"""

from __future__ import annotations

from rmqops.chaos.faults import Plan
from rmqops.model.commands import Command
from rmqops.model.topology import Instance

SUMMARY = "kill -9 of the process; healed by starting it again"

VERIFY_SECONDS = 5
"""How long the death may take; the kernel has to give back a gigabyte of memory first."""

_REQUIRES = """
pid=$("$1/current/bin/pid.sh") || { echo "$1 does not run" >&2; exit 1; }
kill -0 "$pid" || exit 1
[ -x "$1/current/bin/start.sh" ] || { echo "$1 has no start.sh to heal with" >&2; exit 1; }
echo "$pid"
"""

_INJECT = """
now=$("$1/current/bin/pid.sh") || { echo "$1 does not run" >&2; exit 1; }
[ "$now" = "$2" ] || { echo "$1 runs as $now and not as $2 any more" >&2; exit 1; }
kill -KILL "$2"
"""

# The command line of a process that is dead and not yet collected is empty, so a zombie counts as dead.
_VERIFY = """
ours() { tr '\\0' '\\n' < "/proc/$2/cmdline" | grep -Fqx -e "-Drmqops.instance=$1"; } 2>/dev/null
tries=0
while ours "$1" "$2"; do
  [ "$tries" -lt "$3" ] || { echo "process $2 of $1 is still alive" >&2; exit 1; }
  tries=$((tries + 1))
  sleep 0.01
done
"""

_HEALED = '"$1/current/bin/pid.sh"'


def requires(instance: Instance) -> Command:
    """Probe that the process runs, that we may signal it, and that there is a way to start it again."""
    return Command.shell(_REQUIRES, instance.home)


def plan(instance: Instance, found: str) -> Plan:
    """Return the plan; ``found`` is the process id."""
    pid = found.strip()
    seconds = instance.number("rocketmq_start_timeout")
    return Plan(
        inject=Command.shell(_INJECT, instance.home, pid),
        verify=Command.shell(_VERIFY, instance.home, pid, str(VERIFY_SECONDS * 100), timeout=VERIFY_SECONDS * 4),
        heal=Command((f"{instance.home}/current/bin/start.sh",), timeout=seconds + 15.0),
        healed=Command.shell(_HEALED, instance.home),
    )
