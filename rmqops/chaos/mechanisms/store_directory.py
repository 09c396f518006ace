"""What the faults of a store have in common: which directory it is. PURE.

The store is the directory that the inventory names (``rocketmq_data_dir``, rendered as ``storePathRootDir``),
and it is touched only where the running process proves that it is its own: a broker keeps ``<store>/lock`` open
as long as it lives (``DefaultMessageStore``).
"""

from __future__ import annotations

from rmqops.chaos.mechanisms.plan import Aim
from rmqops.errors import UsageError
from rmqops.model.commands import AS_USER, Command, Script
from rmqops.model.topology import Instance

# $1 home, $2 store, $3 whose it is. One below the instance's directory must really lie there; one elsewhere is
# where the inventory says. Whatever leads out of it, a link or a mount, would lead the fault to something else.
_PROBE = (
    AS_USER
    + """
pid=$("$1/current/bin/pid.sh") || { echo "$1 does not run" >&2; exit 1; }
kill -0 "$pid" || exit 1
[ -x "$1/current/bin/start.sh" ] || { echo "$1 has no start.sh to heal with" >&2; exit 1; }
[ -d "$2" ] && [ ! -L "$2" ] || { echo "$2 is not a directory" >&2; exit 1; }
real=$(readlink -f "$2") && home=$(readlink -f "$1") || exit 1
case $2/ in
  "$1"/*) case $real/ in
    "$home"/?*) ;;
    *) echo "$2 is $real, which is not inside $home" >&2; exit 1 ;;
  esac ;;
esac
case $home/ in "$real"/*) echo "$real holds more than the store: $home" >&2; exit 1 ;; esac
find "/proc/$pid/fd" -printf '%l\\n' | grep -Fqx -e "$real/lock" ||
  { echo "process $pid does not keep $real/lock open, so $real is not known to be its store" >&2; exit 1; }
link=$(as_user "$3" find "$real" -type l | head -n 1)
[ -z "$link" ] || { echo "$link is a symbolic link, and may lead out of the store" >&2; exit 1; }
disks=$(as_user "$3" find "$real" -printf '%D\\n' | sort -u | wc -l)
[ "$disks" -eq 1 ] || { echo "another file system is mounted inside $real" >&2; exit 1; }
echo "$pid"
"""
)

_HEALED = """
[ ! -e "$2" ] && [ ! -L "$2" ] || { echo "$2 is there still" >&2; exit 1; }
"$1/current/bin/pid.sh"
"""


def directory(instance: Instance) -> str:
    """Return where the store lies on its host.

    Raises:
        UsageError: the instance is a NameServer.
    """
    if instance.kind != "broker":
        raise UsageError(f"{instance.name} is a NameServer and has no store", remedy="strike a broker")
    return instance.text("rocketmq_data_dir").rstrip("/")


def log(aim: Aim) -> str:
    """Return the directory with the log that a member writes: DLedger's own, or the commit log."""
    instance, groups = aim.instance, aim.topology.groups
    mode = next((group.mode for group in groups if group.name == instance.group), "single")
    below = f"dledger-{instance.text('rocketmq_dledger_id')}/data" if mode == "dledger" else "commitlog"
    return f"{directory(instance)}/{below}"


def probe(instance: Instance) -> Script:
    """Probe that the store is this process's own and nothing leads out of it; prints the pid."""
    return Script(_PROBE, (instance.home, directory(instance), instance.service_user))


def healed(instance: Instance, left: str) -> Command:
    """Return a Command that exits 0 only when the instance runs and what its fault left on the host is gone."""
    return Command.shell(_HEALED, instance.home, left)
