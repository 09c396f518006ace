"""What the faults of a process have in common. PURE: only commands.

The process is the one that the instance's own ``bin/pid.sh`` reports (``docs/adr/0005``): a pid is never trusted
unless its command line names the instance.
"""

from __future__ import annotations

from rmqops.model.commands import Command
from rmqops.model.topology import Instance

VERIFY_SECONDS = 5
"""How long the effect of a signal may take; a dead broker's gigabyte of memory has to be given back first."""

_PROBE = """
pid=$("$1/current/bin/pid.sh") || { echo "$1 does not run" >&2; exit 1; }
kill -0 "$pid" || exit 1
[ -x "$1/current/bin/start.sh" ] || { echo "$1 has no start.sh to heal with" >&2; exit 1; }
echo "$pid"
"""

_SIGNAL = """
now=$("$1/current/bin/pid.sh") || { echo "$1 does not run" >&2; exit 1; }
[ "$now" = "$2" ] || { echo "$1 runs as $now and not as $2 any more" >&2; exit 1; }
kill -s "$3" "$2"
"""

# $1 home, $2 pid, $3 hundredths of a second. stop.sh finds nobody; it keeps systemd from starting the unit again.
_KILL = """
now=$("$1/current/bin/pid.sh") || { echo "$1 does not run" >&2; exit 1; }
[ "$now" = "$2" ] || { echo "$1 runs as $now and not as $2 any more" >&2; exit 1; }
kill -s KILL "$2" || exit 1
tries=0
while "$1/current/bin/pid.sh" > /dev/null; do
  [ "$tries" -lt "$3" ] || { echo "process $2 of $1 is still alive" >&2; exit 1; }
  tries=$((tries + 1))
  sleep 0.01
done
"$1/current/bin/stop.sh" > /dev/null || exit 1
! "$1/current/bin/pid.sh" > /dev/null || { echo "$1 was started by somebody else" >&2; exit 1; }
"""

# The command line of a process that is dead and not yet collected is empty, so a zombie counts as dead.
_GONE = """
ours() { tr '\\0' '\\n' < "/proc/$2/cmdline" | grep -Fqx -e "-Drmqops.instance=$1"; } 2>/dev/null
tries=0
while ours "$1" "$2"; do
  [ "$tries" -lt "$3" ] || { echo "process $2 of $1 is still alive" >&2; exit 1; }
  tries=$((tries + 1))
  sleep 0.01
done
"""


def probe(instance: Instance) -> Command:
    """Probe that the process runs, that we may signal it, and that there is a way to start it; prints its pid."""
    return Command.shell(_PROBE, instance.home)


def signal(instance: Instance, pid: str, name: str) -> Command:
    """Return what sends a signal to the process that the probe found, and to no other."""
    return Command.shell(_SIGNAL, instance.home, pid, name)


def killed(instance: Instance, pid: str, then: str = ":", *arguments: str) -> Command:
    """Return what kills the process for as long as nobody starts it, and then runs a script.

    Args:
        instance: The victim.
        pid: What the probe found.
        then: The script. Its ``$1`` is the instance's directory, and ``arguments`` are ``$2`` and so on.
        arguments: What the script is given.
    """
    tries = str(VERIFY_SECONDS * 100)
    seconds = instance.number("rocketmq_stop_timeout") + 60.0
    return Command.shell(
        'sh -c "$2" rmqops "$1" "$3" "$4" && home=$1 && then=$5 && shift 5 && sh -c "$then" rmqops "$home" "$@"',
        *(instance.home, _KILL, pid, tries, then, *arguments),
        timeout=seconds,
    )


def gone(instance: Instance, pid: str, seconds: int = VERIFY_SECONDS) -> Command:
    """Return what waits until that process is dead."""
    return Command.shell(_GONE, instance.home, pid, str(seconds * 100), timeout=seconds * 4)


def start(instance: Instance) -> Command:
    """Return what starts the instance, and does nothing where it runs."""
    seconds = instance.number("rocketmq_start_timeout") + 15.0
    return Command((f"{instance.home}/current/bin/start.sh",), timeout=seconds)


def runs(instance: Instance) -> Command:
    """Return what ends with 0 only when the instance runs."""
    return Command.shell('"$1/current/bin/pid.sh"', instance.home)
