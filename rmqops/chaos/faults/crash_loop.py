"""The process dies again and again, as of a fault that meets it at every start: ``kill -9`` every few seconds.

Who starts it again is its supervisor: a systemd unit, 5 s after each death and five times at most
(``StartLimitBurst``), after which it stays down until the heal. Where there is no supervisor the loop starts it
itself. The loop is a session of its own on the host, known by its command line alone
(``-Drmqops.loop=<fault>``); it ends by itself after an hour.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import bounded_wait, notes, process_marks, processes
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.model.commands import Command

SUMMARY = "kill -9 of the process every few seconds; healed by ending that and starting it again"
OPTIONS = {"every": Option(5, "seconds from one look for the process to the next", low=1, high=60)}

HOUR = 3600
VERIFY_SECONDS = 60
"""How long the process may take to come back for its second death, besides twice the option."""
LOOP_SECONDS = 10
"""How long the loop may take to be there, and how long to be gone."""

# Prints a process of the loop $1: one that has the mark as a word of its command line, as nobody else has.
_FIND = f"""{process_marks.BEARERS}
loop() {{ bearers "-Drmqops.loop=$1" | head -n 1; }}
"""

# $1 home, $2 seconds from one look to the next, $3 seconds in all, $4 the file of the pids that were killed, $5
# who starts it again
_LOOP = (
    bounded_wait.SHELL
    + """
within "$3"
until overdue; do
  if pid=$("$1/current/bin/pid.sh"); then
    kill -s KILL "$pid" && echo "$pid" >> "$4"
  elif [ "$5" = detached ]; then
    "$1/current/bin/start.sh" > /dev/null 2>&1 &
  fi
  sleep "$2"
done
"""
)

# $1 home, $2 and $3 seconds as above, $4 the file, $5 who starts it again, $6 its name, $7 the loop
_INJECT = (
    _FIND
    + notes.SHELL
    + """
[ -z "$(loop "$6")" ] || { echo "the loop $6 is there already" >&2; exit 1; }
noted "$4" && : > "$4" || exit 1
setsid nohup /bin/sh -c "$7" rmqops "$1" "$2" "$3" "$4" "$5" "-Drmqops.loop=$6" > /dev/null 2>&1 < /dev/null &
wait_until bears "$!" "-Drmqops.loop=$6" || { echo "the loop $6 could not be started" >&2; exit 1; }
"""
)

# $1 the file
_VERIFY = """
twice() { [ "$(sort -u "$1" | wc -l)" -ge 2 ]; }
wait_until twice "$1" || { echo "killed only $(wc -l < "$1") times" >&2; exit 1; }
"""

# $1 home, $2 the file, $3 its name. The loop's shell is stopped, so that it starts nothing more, and all of its
# session go with it: one may be about to start the process, or hold the lock of start.sh.
_HEAL = (
    _FIND
    + notes.SHELL
    + """
session() { sed 's/.*) [^ ]* [^ ]* [^ ]* \\([^ ]*\\).*/\\1/' "/proc/$1/stat" 2> /dev/null; }
others() {
  cat /proc/[0-9]*/stat 2> /dev/null |
    awk -v sid="$1" '{ pid = $1; sub(/.*\\) /, ""); if ($4 == sid && pid != sid && $1 != "Z") print pid }'
}
ended() {
  pid=$(loop "$1")
  [ -n "$pid" ] || return 0
  sid=$(session "$pid")
  # One that is only about to become the loop has the session of who starts it, which is not ours to end.
  bears "$sid" "-Drmqops.loop=$1" || sid=$pid
  kill -s STOP "$sid" 2> /dev/null
  members=$(others "$sid")
  # shellcheck disable=SC2086
  if [ -n "$members" ]; then kill -s KILL $members 2> /dev/null; else kill -s KILL "$sid" 2> /dev/null; fi
  return 1
}
wait_until ended "$3" || { echo "the loop $3 does not end" >&2; exit 1; }
rm -f "$2" || exit 1
forgotten "$2"
exec "$1/current/bin/start.sh"
"""
)

_HEALED = (
    _FIND
    + """
[ -z "$(loop "$3")" ] || { echo "the loop $3 runs still" >&2; exit 1; }
[ ! -e "$2" ] || { echo "$2 is there still" >&2; exit 1; }
"$1/current/bin/pid.sh"
"""
)


def requires(aim: Aim) -> Command:
    """Probe the process."""
    return processes.probe(aim.instance)


def plan(aim: Aim, _probe_output: str) -> FaultPlan:
    """Return the plan; every process of the instance is a victim, whatever its id."""
    instance, every = aim.instance, aim.number("every")
    home, supervisor = instance.home, instance.supervisor
    killed, name = notes.path(aim, "killed"), f"{home}/{aim.fault}"
    loop = (home, f"{every:g}", str(HOUR), killed, supervisor, name, _LOOP)
    start = processes.start(instance).timeout
    return FaultPlan(
        inject=bounded_wait.command(_INJECT, *loop, seconds=LOOP_SECONDS),
        verify=bounded_wait.command(_VERIFY, killed, seconds=2 * every + VERIFY_SECONDS),
        heal=bounded_wait.command(_HEAL, home, killed, name, seconds=LOOP_SECONDS, work=start),
        healed=Command.shell(_HEALED, home, killed, name),
    )
