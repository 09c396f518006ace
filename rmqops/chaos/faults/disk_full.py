"""The disk of the store is full: one file takes what is free there, but for some MiB.

It imitates logs, dumps or a store that has outgrown its disk. The fault touches nothing of the store, but the
broker reacts: above 85 % in use DLedger deletes its oldest files of messages, whatever their age, and so does a
broker without DLedger; above 90 % members refuse messages and a leader stays the leader (DLedger 0.2.0,
``DLedgerMmapFileStore.CleanSpaceService``; RocketMQ 4.5.2, ``DefaultMessageStore.CleanCommitLogService``). So
**strike it only where messages may be lost**: a member with more than one file of its log may lose the older
ones.

The filler is a file in the data directory, named after the fault. It is written and removed as the store's owner:
root would write to wherever a link of that name leads, and has room where others have none.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import bounded_wait, process_marks, processes
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.model.commands import AS_USER, Command, Script

SUMMARY = (
    "a file fills the file system of the store, whose broker may then delete old messages; healed by removing it"
)
OPTIONS = {
    "leave": Option(16, "how many MiB stay free", low=0, high=1024),
    "at_most": Option(4096, "how many MiB may be written for it; more is refused", low=1, high=1_048_576),
}
END_SECONDS = 10
"""How long a process that still writes the file may take to be gone."""
SLACK = 2
"""MiB by which file systems and their accounts of free space may differ."""

# `room DIR` prints the MiB that an ordinary user may still write there.
_ROOM = """
room() { df -Pk "$1" | awk 'NR == 2 { print int($4 / 1024) }'; }
"""

# $1 data directory, $2 MiB that stay free, $3 MiB that may be written; sets `fill`
_BOUND = (
    _ROOM
    + """
free=$(room "$1") && [ -n "$free" ] || { echo "df does not tell what is free in $1" >&2; exit 1; }
fill=$((free - $2))
if [ "$fill" -le 0 ]; then
  echo "$free MiB are free in $1, and $2 MiB are to be left: there is nothing to fill" >&2
  exit 1
fi
if [ "$fill" -gt "$3" ]; then
  where="the file system of $1"
  [ "$(df -P "$1" | awk 'NR == 2 { print $6 }')" != / ] || where="$where, which is the host's root,"
  echo "$where has $free MiB free: $fill MiB would have to be written, and at_most allows $3" >&2
  exit 1
fi
"""
)

# $1 instance directory, $2 … as above
_PROBE = (
    """
"$1/current/bin/pid.sh" > /dev/null || { echo "$1 does not run" >&2; exit 1; }
[ -w "$2" ] || { echo "the data directory $2 is not there, or its owner may not write to it" >&2; exit 1; }
shift
"""
    + _BOUND
)

# $1 … as above, $4 the file. What the store takes meanwhile need not be filled, hence the second try.
_INJECT = (
    _BOUND
    + """
[ ! -e "$4" ] && [ ! -L "$4" ] || { echo "$4 is there already" >&2; exit 1; }
for _ in 1 2; do
  [ "$fill" -gt 0 ] || exit 0
  fallocate -l "${fill}M" "$4" 2> /dev/null && exit 0
  rm -f "$4"
  dd if=/dev/zero of="$4" bs=1M count="$fill" oflag=nofollow,nonblock conv=excl 2> /dev/null && exit 0
  rm -f "$4"
  fill=$(($(room "$1") - $2))
done
echo "$4 could not be filled with $fill MiB" >&2
exit 1
"""
)

# $1 data directory, $2 MiB that stay free, $3 the file. A write has to fail for want of room; it writes no more
# than what is left and a little.
_VERIFY = (
    _ROOM
    + f"""
[ -f "$3" ] || {{ echo "$3 is not there" >&2; exit 1; }}
write() {{
  answer=$(dd if=/dev/zero of="$3.try" bs=1M count="$(($2 + {2 * SLACK}))" oflag=nofollow,nonblock 2>&1)
  failed=$?
  rm -f "$3.try"
  [ "$failed" != 0 ] || return 1
  case $answer in *'No space left'* | *'quota exceeded'*) return 0 ;; esac
  return 1
}}
full() {{ [ "$(room "$1")" -le $(($2 + {SLACK})) ] && write "$1" "$2" "$3"; }}
wait_until full "$1" "$2" "$3" ||
  {{ echo "$(room "$1") MiB are free in $1, and a write said: $answer" >&2; exit 1; }}
"""
)

# $1 the file, $2 instance directory. A file that is still being written keeps its room when it is removed, so
# its writers and the shell that starts them are ended first. They spell the path with a /./, unlike who heals.
_FIND = f"""{process_marks.BEARERS}
writers() {{
  spelled=${{1%/*}}/./${{1##*/}}
  bearers "$spelled" "of=$spelled" "of=$spelled.try"
}}
"""

_HEAL = (
    _FIND
    + AS_USER
    + """
ended() {
  pids=$(writers "$1")
  [ -n "$pids" ] || return 0
  for pid in $pids; do kill -s KILL "$pid" 2> /dev/null; done
  return 1
}
wait_until ended "$1" || { echo "a writer of $1 cannot be ended" >&2; exit 1; }
as_user "$3" rm -rf --one-file-system -- "$1" "$1.try" || exit 1
"$2/current/bin/pid.sh" > /dev/null || "$2/current/bin/start.sh"
"""
)

_HEALED = (
    _FIND
    + """
[ -z "$(writers "$1")" ] || { echo "$1 is still being written" >&2; exit 1; }
for file in "$1" "$1.try"; do
  [ ! -e "$file" ] && [ ! -L "$file" ] || { echo "$file is there still" >&2; exit 1; }
done
"$2/current/bin/pid.sh" > /dev/null || { echo "$2 does not run" >&2; exit 1; }
"""
)


def requires(aim: Aim) -> Command:
    """Probe the process, the right to write to its data, and that no more than agreed has to be written."""
    return Script(_PROBE, (aim.instance.home, *_bounds(aim))).as_user(aim.instance.service_user).command()


def plan(aim: Aim, _probe_output: str) -> FaultPlan:
    """Return the plan; where there is no ``fallocate`` the file is written, at 50 MiB/s or more."""
    data, leave, at_most = _bounds(aim)
    name = f".rmqops-fault-{aim.fault}"
    file, writing = f"{data}/{name}", f"{data}/./{name}"
    seconds = 30 + aim.number("at_most") / 50
    user, home = aim.instance.service_user, aim.instance.home
    look, start = aim.number("leave") / 50, aim.instance.number("rocketmq_start_timeout")
    return FaultPlan(
        inject=Script(_INJECT, (data, leave, at_most, writing)).as_user(user).command(timeout=seconds),
        verify=bounded_wait.command(
            *(_VERIFY, data, leave, writing), seconds=processes.VERIFY_SECONDS + look, work=look, user=user
        ),
        heal=bounded_wait.command(_HEAL, file, home, user, seconds=END_SECONDS, work=start),
        healed=Command.shell(_HEALED, file, home),
    )


def _bounds(aim: Aim) -> tuple[str, str, str]:
    """Return the data directory, the MiB that stay free, and the MiB that may be written."""
    return (
        aim.instance.text("rocketmq_data_dir"),
        f"{aim.number('leave'):.0f}",
        f"{aim.number('at_most'):.0f}",
    )
