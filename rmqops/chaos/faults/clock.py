"""The host's clock steps, forwards or back, as after a wrong answer from a time server or a machine that woke up.

The clock is the machine's, so everything on the host steps with it. The heal sets it by what the clock of the
time since boot (``/proc/uptime``) says of the time that passed, so it is right again to some hundredths of a
second, and may be run twice. The dead-man heal sleeps by that clock, too, and comes in time.

The fault is refused in containers, which share their machine's clock, without ``CAP_SYS_TIME``, and where a time
daemon would set the clock right meanwhile.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.errors import UsageError
from rmqops.model.commands import Command

SUMMARY = "the host's clock steps; healed by stepping it back to where it would be"
OPTIONS = {"seconds": Option(60, "by how much, forwards or (below 0) back; more than 2", low=-3600, high=3600)}
TOLERANCE = 2
"""Seconds by which a step may be off, and be one all the same; reading two clocks takes its time."""

# `boot` prints when the machine booted by its clock as it is now, in seconds: it steps when the clock does.
_BOOT = """
boot() { echo "$(date +%s.%N) $(cut -d ' ' -f 1 /proc/uptime)" | awk '{ printf "%.3f", $1 - $2 }'; }
near() { echo "$1 $2 $3" | awk '{ off = $1 - $2; exit !(off < $3 && off > -$3) }'; }
"""

# Bit 25 of the capabilities is CAP_SYS_TIME; it is bit 1 of the seventh digit from the right.
_PROBE = """
refuse() { echo "$1" >&2; exit 1; }
! systemd-detect-virt --quiet --container 2> /dev/null || refuse "the clock of a container is its machine's"
[ ! -e /run/.containerenv ] && [ ! -e /.dockerenv ] || refuse "the clock of a container is its machine's"
case $(sed -n 's/^CapEff:.*\\(.\\)......$/\\1/p' /proc/self/status) in
  [2367abefABEF]) ;;
  *) refuse "the clock may not be set here: there is no CAP_SYS_TIME" ;;
esac
for name in /proc/[0-9]*/comm; do
  read -r daemon < "$name" || continue
  case $daemon in
    chronyd | ntpd | openntpd | systemd-timesyn* | phc2sys | ptp4l | VBoxService | vmtoolsd)
      refuse "$daemon would set the clock right meanwhile; stop it for the drill" ;;
  esac
done 2> /dev/null
[ ! -e "$1" ] || refuse "$1 is there already"
"""

# $1 file, $2 seconds. What is needed for the way back is on disk before the step.
_INJECT = (
    _BOOT
    + """
[ ! -e "$1" ] || { echo "$1 is there already" >&2; exit 1; }
boot > "$1.new" && mv "$1.new" "$1" && sync "$1" || exit 1
date -s "@$(echo "$(date +%s.%N) $2" | awk '{ printf "%.3f", $1 + $2 }')" > /dev/null
"""
)

_VERIFY = (
    _BOOT
    + """
right=$(cat "$1") && stepped=$(echo "$right $2" | awk '{ printf "%.3f", $1 + $2 }') now=$(boot) || exit 1
if ! near "$now" "$stepped" "$3"; then
  echo "the clock is off by $(echo "$now $right" | awk '{ print $1 - $2 }') s, and not by $2" >&2
  exit 1
fi
"""
)

_HEAL = (
    _BOOT
    + """
rm -f "$1.new"
right=$(cat "$1" 2> /dev/null) && [ -n "$right" ] || exit 0
if ! near "$(boot)" "$right" 0.2; then
  now=$(echo "$right $(cut -d ' ' -f 1 /proc/uptime)" | awk '{ printf "%.3f", $1 + $2 }')
  date -s "@$now" > /dev/null || exit 1
fi
near "$(boot)" "$right" "$2" || { echo "the clock cannot be set right" >&2; exit 1; }
rm -f "$1"
"""
)

_HEALED = """
[ ! -e "$1" ] && [ ! -e "$1.new" ] || { echo "the clock has not been set right: $1 is there still" >&2; exit 1; }
"""


def requires(aim: Aim) -> Command:
    """Probe that the clock is the host's own, that we may set it, and that nobody else does.

    Raises:
        UsageError: the step is too small to be seen.
    """
    seconds = aim.number("seconds")
    if abs(seconds) <= TOLERANCE:
        raise UsageError(
            f"a step of {seconds:g} s is too small to be seen", remedy=f"give more than {TOLERANCE} s"
        )
    return Command.shell(_PROBE, _file(aim))


def plan(aim: Aim, _probe_output: str) -> FaultPlan:
    """Return the plan."""
    seconds, file = f"{aim.number('seconds'):g}", _file(aim)
    return FaultPlan(
        inject=Command.shell(_INJECT, file, seconds),
        verify=Command.shell(_VERIFY, file, seconds, str(TOLERANCE)),
        heal=Command.shell(_HEAL, file, str(TOLERANCE)),
        healed=Command.shell(_HEALED, file),
    )


def _file(aim: Aim) -> str:
    """Name the file that says when the machine booted, by the clock before it stepped."""
    return f"{aim.instance.home}/.rmqops-fault-{aim.fault}"
