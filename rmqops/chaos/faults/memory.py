"""Somebody else takes memory and holds it, so that the page cache shrinks and allocations have to wait.

It imitates a neighbour that grows. It does not provoke the out-of-memory killer: enough stays available, and
were the kernel to kill all the same, it would take the holder first. What gives way is the page cache, from
which the broker borrows the pages of its store; whether that is felt depends on how much was free before.

The holder is ``dd`` with one block of that size: it has read the block from ``/dev/zero`` and stands still at
writing it into a pipe that nobody empties.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import bounded_wait, stressors
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.model.commands import Command

SUMMARY = "a process takes memory and holds it; healed by ending it"
OPTIONS = {
    "mib": Option(256, "how many MiB are taken; 256 MiB more must be available", low=16, high=65_536),
    "bound": stressors.BOUND,
}
SPARE = 256
"""MiB that stay available."""

# $1 MiB taken, $2 MiB that stay. What the machine has, and what the limit of each cgroup from ours up leaves,
# whose pages that are only cached (inactive_file) can be taken back. mawk writes large numbers as 8.8e+12 by
# itself.
_ROOM = """
least=$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo) who=machine
[ -n "$least" ] || { echo "the kernel does not say MemAvailable" >&2; exit 1; }
look() {
  limit=$(cat "$1/$2" 2> /dev/null) || return 0
  case $limit in '' | *[!0-9]*) return 0 ;; esac
  cached=$(awk -v key="$4" '$1 == key { print $2 }' "$1/memory.stat" 2> /dev/null)
  left=$(echo "$limit $(cat "$1/$3") ${cached:-0}" | awk '{ printf "%.0f", ($1 - $2 + $3) / 1048576 }')
  [ "$left" -ge "$least" ] || { least=$left who="cgroup $1"; }
}
climb() {
  path=$2
  while :; do
    look "$1$path" "$3" "$4" "$5"
    case $path in */*) path=${path%/*} ;; *) break ;; esac
  done
}
own() { awk -F : -v which="$1" '$2 == which { sub("/$", "", $3); print $3 }' /proc/self/cgroup; }
climb /sys/fs/cgroup "$(own '')" memory.max memory.current inactive_file
climb /sys/fs/cgroup/memory "$(own memory)" memory.limit_in_bytes memory.usage_in_bytes total_inactive_file
if [ "$((least - $1))" -lt "$2" ]; then
  echo "the $who has $least MiB available, which $1 MiB less would leave below $2 MiB" >&2
  exit 1
fi
"""

# $1 MiB, $2 seconds. The kernel kills what has the highest score first, and everybody may raise their own.
_HOLD = """
echo 1000 > /proc/self/oom_score_adj
dd if=/dev/zero bs="${1}M" count=1 iflag=fullblock 2> /dev/null | sleep "$2"
"""

# $1 mark, $2 MiB. The holder is in the session of the helper, which is its first process.
_VERIFY = (
    stressors.FIND
    + """
held() {
  [ -n "$leader" ] || leader=$(helpers "$1" | head -n 1)
  mib=$(sed 's,^\\([0-9]*\\) .*) ,\\1 ,' /proc/[0-9]*/stat 2> /dev/null \\
    | awk -v leader="$leader" '$5 == leader { print "/proc/" $1 "/status" }' \\
    | xargs cat 2> /dev/null | awk '$1 == "VmRSS:" { kib += $2 } END { print int(kib / 1024) }')
  [ "$mib" -ge $(($2 * 9 / 10)) ]
}
leader=
wait_until held "$1" "$2" || { echo "$mib MiB of $2 are held" >&2; exit 1; }
"""
)


def requires(aim: Aim) -> Command:
    """Probe the process, and that enough memory stays available."""
    return Command.shell(stressors.PROBE + "shift\n" + _ROOM, aim.instance.home, _mib(aim), str(SPARE))


def plan(aim: Aim, _probe_output: str) -> FaultPlan:
    """Return the plan."""
    seconds = stressors.VERIFY_SECONDS + aim.number("mib") / 500
    start = stressors.start(aim, _HOLD, _mib(aim), limit=f"MemoryMax={aim.number('mib') + 64:.0f}M")
    return FaultPlan(
        inject=start,
        verify=bounded_wait.command(_VERIFY, stressors.mark(aim), _mib(aim), seconds=seconds),
        heal=stressors.heal(aim),
        healed=stressors.healed(aim),
    )


def _mib(aim: Aim) -> str:
    return f"{aim.number('mib'):.0f}"
