"""The dead-man heal: a heal that lies armed on the host before its fault does. PURE: only commands.

A fault must end even if rmqops, its machine or its network dies. So before a fault is put in force, its heal is
written to ``<instance directory>/heals/<fault id>.sh``, and a process on the same host, the *sleeper*, waits until
the deadline and then runs it. It is known by its command line alone (``-Drmqops.heal=<that path without .sh>``): a
pid is never stored, so a recycled one is never signalled.

The sleeper outlives the session that starts it: as a transient unit where systemd runs, root's own or, for a user
who lingers, that user's; a logind with ``KillUserProcesses=yes`` ends all else with the session. Elsewhere it is a
session of its own. The unit ends its main process alone: what a heal starts there, a broker without a unit for
instance, stays.

A heal that fires and succeeds removes its file; one that fails tries again every 5 s for an hour, and leaves file
and log for ``rmqops chaos heal``, which needs nothing but these files.
"""

from __future__ import annotations

import shlex

from rmqops.chaos.mechanisms import bounded_wait, process_marks
from rmqops.model.commands import Command, Script
from rmqops.model.topology import Instance
from rmqops.operations.hosts import armed_heals

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

# Sets `manager` to the words with which systemd-run keeps a process beyond its session; exits with 1 where systemd
# does not.
_MANAGER = """
managed() {
  [ -d /run/systemd/system ] && command -v systemd-run > /dev/null || return 1
  manager=
  [ "$(id -u)" != 0 ] || return 0
  manager=--user
  export XDG_RUNTIME_DIR="/run/user/$(id -u)"
  [ -e "/var/lib/systemd/linger/$(id -un)" ] && [ -S "$XDG_RUNTIME_DIR/bus" ]
}
"""

_PROBE = (
    _MANAGER
    + """
! managed || exit 0
case $(busctl get-property org.freedesktop.login1 /org/freedesktop/login1 \\
  org.freedesktop.login1.Manager KillUserProcesses 2> /dev/null) in
  'b true')
    echo "the heal would die with our session (KillUserProcesses=yes): log in as root or with sudo, or let" \\
      "$(id -un) linger (loginctl enable-linger)" >&2
    exit 1 ;;
esac
"""
)

# $1 path without .sh, $2 seconds until it heals, $3 seconds for which it tries again, $4 the heal, $5 the sleeper,
# $6 its unit. systemd puts variables of its own in place of $1, so each $ is doubled for it.
_ARM = (
    process_marks.BEARERS
    + _MANAGER
    + """
mkdir -p "$(dirname "$1")" || exit 1
[ ! -e "$1.sh" ] || { echo "$1.sh is armed already" >&2; exit 1; }
printf '%s\\n' "$4" > "$1.new" && mv "$1.new" "$1.sh" && : > "$1.log" || exit 1
double() { printf '%s\\n' "$1" | sed 's/\\$/$$/g'; }
logged='exec > "$1.log" 2>&1
'
if managed; then
  pid=
  systemd-run $manager --quiet --collect --unit "$6" --description "heals a fault of rmqops chaos" \\
    -p KillMode=process -p TimeoutStopSec=5 \\
    /bin/sh -c "$(double "$logged$5")" rmqops "$(double "$1")" "$2" "$3" "-Drmqops.heal=$(double "$1")" ||
    { rm -f "$1.sh"; exit 1; }
else
  setsid nohup /bin/sh -c "$logged$5" rmqops "$1" "$2" "$3" "-Drmqops.heal=$1" > /dev/null 2>&1 < /dev/null &
  pid=$!
fi
there() { bears "$pid" "-Drmqops.heal=$1" || [ -n "$(bearers "-Drmqops.heal=$1")" ]; }
wait_until there "$1" ||
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
for file in "$1"/*.sh; do
  [ -f "$file" ] || continue
  name=${file##*/}
  echo "${name%.sh}"
done
"""


# $1 a fault's id. A sleeper of our own says where the heal lies, whatever the inventory says now.
_FIND = """
grep -alzE "^-Drmqops[.]heal=/.*/heals/$1\\$" /proc/[0-9]*/cmdline 2> /dev/null | while read -r file; do
  [ "$(stat -c %u "$file" 2> /dev/null)" = "$(id -u)" ] || continue
  path=$(tr '\\0' '\\n' < "$file" | sed -n "s,^-Drmqops[.]heal=\\(/.*/heals/$1\\)\\$,\\1,p" | head -n 1)
  [ "$(stat -c '%u %F' "$path.sh" 2> /dev/null)" != "$(id -u) regular file" ] || printf '%s\\n' "$path"
done | sort -u
"""


def path(instance: Instance, fault: str) -> str:
    """Return where the heal of a fault lies, without its ``.sh``."""
    return f"{armed_heals.directory(instance)}/{fault}"


def requires() -> Script:
    """Return the probe: exits with 0 where a heal can outlive the session that arms it, and prints nothing."""
    return Script(_PROBE)


def arm(instance: Instance, fault: str, cure: Command, seconds: float) -> Command:
    """Return a Command that arms a heal, to fire after ``seconds``; it exits 0 only when its sleeper was seen."""
    head = f"#!/bin/sh\n# Heals the fault {fault} on {instance.name}. Written by rmqops chaos.\nexport LC_ALL=C\n"
    script = head + shlex.join(cure.argv)
    unit = f"rmqops-heal-{instance.name}-{fault}.service"
    arguments = (path(instance, fault), f"{seconds:.3f}", str(RETRY_SECONDS), script, SLEEPER, unit)
    return bounded_wait.command(_ARM, *arguments, seconds=SLEEPER_SECONDS)


def disarm(instance: Instance, fault: str) -> Command:
    """Return a Command that disarms a heal and removes its files; prints ``armed``, or ``gone`` if none was."""
    return disarm_at(path(instance, fault))


def disarm_at(path: str) -> Command:
    """Return what :func:`disarm` does for a heal that was found (:func:`find`)."""
    return bounded_wait.command(_DISARM, path, seconds=SLEEPER_SECONDS)


def armed(instance: Instance) -> Command:
    """Return a Command that prints the id of every fault whose heal lies armed for an instance, one a line."""
    return Command.shell(_ARMED, armed_heals.directory(instance))


def find(fault: str) -> Command:
    """Return a Command that prints the :func:`path` of each heal of a fault that a sleeper on the host is for.

    Args:
        fault: Its id; letters, digits and hyphens.
    """
    return Command.shell(_FIND, fault)


def fire(instance: Instance, fault: str, timeout: float) -> Command:
    """Return a Command that runs an armed heal now; it stays armed until :func:`disarm`."""
    return fire_at(path(instance, fault), timeout)


def fire_at(path: str, timeout: float) -> Command:
    """Return what :func:`fire` does for a heal that was found (:func:`find`)."""
    return Command(("/bin/sh", f"{path}.sh"), timeout=timeout)
