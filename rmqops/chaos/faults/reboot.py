"""The host is rebooted, in order: its processes are asked to end, and it comes back by itself or not at all.

The instance comes back as a unit of systemd that is enabled; the heal starts it where it did not. rmqops loses its
connection and tries again as long as the host may be away (``away``).

The sleeper of the dead-man heal dies with the host, and its file stays. So a unit is left on the host that sleeps
anew after the boot, under the sleeper's name, and then does what that would have done. The heal removes it.

The fault is refused where the host is the machine that rmqops runs on, where other instances live on it, and in a
container that nobody is known to start again; a lab's are (``docs/lab.md``). A host that does not come back is a
heal that failed.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import bounded_wait, deadman
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.model.commands import Command

SUMMARY = "the host is rebooted; healed by waiting for it, and by starting what does not come back by itself"
OPTIONS = {
    "away": Option(300, "seconds that the host may be away", low=10, high=3600),
    "alone": Option(120, "seconds after the boot when the host heals itself, if nobody did", low=2, high=3600),
}
DELAY = 2
"""Seconds until the reboot begins, so that the command for it can still say that it worked."""

# As systemd wants it between double quotes, on one line: systemd.service(5), "Command lines".
_SLEEPER = deadman.SLEEPER.translate(
    {ord("\\"): "\\\\", ord('"'): '\\"', ord("\n"): "\\n", ord("$"): "$$", ord("%"): "%%"}
)

# `boot` prints what no two boots have in common. A container's boot id is its machine's, and the start of its
# first process, field 22 behind the name, is its own.
_BOOT = """
boot() { echo "$(cat /proc/sys/kernel/random/boot_id) $(sed 's/.*) //' /proc/1/stat | cut -d ' ' -f 20)"; }
going() { [ "$(systemctl is-system-running 2> /dev/null)" = stopping ]; }
"""

# $1 instance directory, $2 its unit, $3 what forbids it, $4 the unit of the heal
_PROBE = (
    _BOOT
    + """
refuse() { echo "$1" >&2; exit 1; }
[ -z "$3" ] || refuse "$3"
[ "$(id -u)" = 0 ] || refuse "only root may reboot"
[ -d /run/systemd/system ] || refuse "systemd does not run here, so nothing would start $1 again"
"$1/current/bin/pid.sh" > /dev/null || refuse "$1 does not run"
systemctl is-enabled --quiet "$2" || refuse "$2 is not enabled, so it would not come back"
others=$(systemctl list-units --plain --no-legend --state=active 'rocketmq-*.service' | cut -d ' ' -f 1 |
  grep -Fvx "$2" | tr '\\n' ' ')
[ -z "$others" ] || refuse "others would be struck as well: $others"
if systemd-detect-virt --quiet --container; then
  tr '\\0' '\\n' < /proc/1/environ | grep -qx RMQOPS_LAB_RESTART=1 ||
    refuse "this is a container, and nobody is known to start it again"
fi
[ ! -e "/etc/systemd/system/$4" ] || refuse "$4 is there already"
! going || refuse "the host is going down"
boot
"""
)

# $1 instance directory, $2 the unit of the heal, $3 its fault, $4 seconds after the boot, $5 the sleeper,
# $6 delay, $7 seconds for which it tries again
_INJECT = """
cat > "/etc/systemd/system/$2" << UNIT || exit 1
[Unit]
Description=rmqops chaos: heals $3 after a reboot
CollectMode=inactive-or-failed
[Service]
ExecStart=/bin/sh -c "$5" rmqops $1/heals/$3 $4 $7 -Drmqops.heal=$1/heals/$3
[Install]
WantedBy=multi-user.target
UNIT
systemctl enable --quiet "$2" && sync || exit 1
systemd-run --quiet --collect --unit "reboot-$2" --on-active="$6" --timer-property=AccuracySec=100ms \\
  systemctl --no-block reboot
"""

# $1 the boot before. Most often the connection ends before this does, and is made again.
_VERIFY = (
    _BOOT
    + """
another() { [ "$(boot)" != "$1" ]; }
wait_until another "$1" || { echo "the host has not been rebooted" >&2; exit 1; }
"""
)

# $1 instance directory, $2 the unit of the heal, which may be the one that runs this
_HEAL = (
    _BOOT
    + """
systemctl stop "reboot-${2%.service}.timer" 2> /dev/null
! going || { echo "the host is going down" >&2; exit 1; }
"$1/current/bin/start.sh" || exit 1
[ -e "/etc/systemd/system/$2" ] || exit 0
grep -Fq "/$2" /proc/self/cgroup || systemctl stop "$2"
systemctl disable --quiet "$2"
rm -f "/etc/systemd/system/$2" && systemctl daemon-reload
"""
)

_HEALED = (
    _BOOT
    + """
! going || { echo "the host is going down" >&2; exit 1; }
! systemctl is-active --quiet "reboot-${2%.service}.timer" || { echo "the reboot is still to come" >&2; exit 1; }
[ ! -e "/etc/systemd/system/$2" ] || { echo "$2 is there still" >&2; exit 1; }
"$1/current/bin/pid.sh" > /dev/null || { echo "$1 does not run" >&2; exit 1; }
"""
)


def requires(aim: Aim) -> Command:
    """Probe that the host may be rebooted, and that it and its instance come back; prints which boot this is."""
    home, name = aim.instance.home, aim.instance.name
    return Command.shell(_PROBE, home, f"rocketmq-{name}.service", _forbidden(aim), _unit(aim))


def plan(aim: Aim, probe_output: str) -> FaultPlan:
    """Return the plan; ``probe_output`` says which boot is the one before."""
    instance, unit = aim.instance, _unit(aim)
    seconds = instance.number("rocketmq_stop_timeout") + 30.0
    alone = f"{aim.number('alone'):.0f}"
    return FaultPlan(
        inject=Command.shell(
            _INJECT, instance.home, unit, aim.fault, alone, _SLEEPER, str(DELAY), str(deadman.RETRY_SECONDS)
        ),
        verify=bounded_wait.command(_VERIFY, probe_output.strip(), seconds=seconds),
        heal=Command.shell(_HEAL, instance.home, unit, timeout=instance.number("rocketmq_start_timeout") + 30.0),
        healed=Command.shell(_HEALED, instance.home, unit),
        away=aim.number("away"),
    )


def _forbidden(aim: Aim) -> str:
    """Say why, by the inventory alone, this host may not be rebooted; empty when it may."""
    victim = aim.instance
    if victim.connection == "local":
        return "the host is the machine that rmqops runs on"
    if victim.supervisor != "systemd":
        return f"{victim.name} is no unit of systemd's ({victim.supervisor}), so it would not come back"
    here = (each for each in aim.topology.instances if each.machine == victim.machine)
    others = [each.name for each in here if each.name != victim.name]
    return f"{', '.join(others)} would be struck as well" if others else ""


def _unit(aim: Aim) -> str:
    """Name the unit that heals after the boot."""
    return f"rmqops-fault-{aim.instance.name}-{aim.fault}.service"
