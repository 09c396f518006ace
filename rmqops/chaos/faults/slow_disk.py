"""The disk is slow for the broker alone: what it writes there has to share few KiB a second.

The broker is moved into a cgroup of our own with a limit for the disk of its store: below the one that it is in,
in the hierarchy of cgroup version 1 that has the controller ``blkio``; or at the top of version 2, which hands
``io`` on for as long (``rmqops-io`` there says that this was our doing), while the units of systemd stay as they
are. What a process writes past the cache or flushes itself has to wait then (``fsync``, ``msync``: how a broker
brings its log to the disk); what the kernel writes back by itself, some 30 s later, does so on version 2 alone.
Reads and buffered writes are as fast as before.

Refused where neither version has the controller, and where the store lies in memory. The hierarchy is mounted in a
mount namespace that is gone with each command, so that it need not be mounted on the host, and is not left there.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import bounded_wait, notes, processes, store_directory
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.model.commands import AS_USER, Command, Script

SUMMARY = "what the broker flushes to its disk has to share few KiB a second; healed by taking the limit away"
OPTIONS = {"kib": Option(256, "KiB a second", low=16, high=1_048_576)}
SECONDS = 2
"""How long the flush takes that verifies the limit."""
END_SECONDS = 10
"""How long the cgroup may take to be empty, and so gone."""

# `mounted` mounts a hierarchy at $top: of version 1, only the controllers that blkio is with; to mount others
# would take them from version 2, for the whole machine. `path PID` prints where in it a process is. `limit DISK
# BYTES` says a limit in the words of the file $limits, and `disks DIR` prints the numbers of the disks below a
# directory: a file system that has none of its own, such as a container's overlay, may be on any.
_TOOLS = """
top=/sys/fs/cgroup
first() { cut -d : -f 2 /proc/self/cgroup | grep -E '(^|,)blkio(,|$)'; }
if options=$(first); then
  limits=blkio.throttle.write_bps_device
  mounted() { mount -t cgroup -o "$options" rmqops "$top"; }
  path() { awk -F : '$2 ~ /(^|,)blkio(,|$)/ { print $3 }' "/proc/$1/cgroup"; }
  limit() { echo "$1 $2"; }
else
  limits=io.max
  mounted() { [ "$(stat -f -c %T "$top")" = cgroup2fs ] || mount -t cgroup2 rmqops "$top"; }
  path() { sed -n 's/^0:://p' "/proc/$1/cgroup"; }
  limit() { if [ "$2" = 0 ]; then echo "$1 wbps=max"; else echo "$1 wbps=$2"; fi; }
fi
disks() {
  numbers=$(findmnt -n -o MAJ:MIN -T "$1" | tr -d ' ')
  case $numbers in
    0:*) for disk in /sys/block/*/device; do cat "${disk%/device}/dev"; done 2> /dev/null ;;
    *) if [ -e "/sys/dev/block/$numbers/partition" ]; then cat "/sys/dev/block/$numbers/../dev"
       else echo "$numbers"; fi ;;
  esac
}
"""

# $1 instance directory, $2 store, $3 the cgroup's name
_PROBE = (
    _TOOLS
    + """
refuse() { echo "$1" >&2; exit 1; }
case $(findmnt -n -o FSTYPE -T "$2") in
  tmpfs | ramfs) refuse "$2 lies in memory" ;;
  '') refuse "the file system of $2 cannot be found" ;;
esac
[ -n "$(disks "$2")" ] || refuse "the disk of $2 cannot be found"
mounted 2> /dev/null || refuse "there is no cgroup hierarchy here that limits disks"
[ "$limits" != io.max ] || grep -qw io "$top/cgroup.controllers" ||
  refuse "no cgroup may limit disks here: neither blkio of version 1 nor io of version 2 is there for them"
[ "$limits" = io.max ] || [ -n "$(find "$top" -name "$limits" | head -n 1)" ] ||
  refuse "this kernel does not limit what is written (CONFIG_BLK_DEV_THROTTLING)"
[ -z "$(find "$top" -type d -name "$3")" ] || refuse "the cgroup $3 is there already"
"""
)

# $1 instance directory, $2 store, $3 the cgroup's name, $4 pid, $5 bytes a second, $6 where the process is, $7 the
# note of that, for the heal.
_INJECT = (
    _TOOLS
    + notes.SHELL
    + """
now=$("$1/current/bin/pid.sh") || { echo "$1 does not run" >&2; exit 1; }
[ "$now" = "$4" ] || { echo "$1 runs as $now and not as $4 any more" >&2; exit 1; }
mounted || exit 1
noted "$7" && printf '%s\\n' "$6" > "$7" || exit 1
ours=$top$6/$3
if [ "$limits" = io.max ]; then
  ours=$top/$3
  grep -qw io "$top/cgroup.subtree_control" || mkdir -p "$top/rmqops-io" || exit 1
  echo +io > "$top/cgroup.subtree_control" || exit 1
fi
mkdir "$ours" || exit 1
for disk in $(disks "$2"); do limit "$disk" "$5" > "$ours/$limits" || exit 1; done
echo "$4" > "$ours/cgroup.procs"
"""
)

# $1 … $6 as above, $7 the file, $8 KiB, $9 the least of milliseconds, ${10} whose the store is
_VERIFY = (
    _TOOLS
    + AS_USER
    + """
mounted || exit 1
ours=$(find "$top" -type d -name "$3")
grep -qx "$4" "$ours/cgroup.procs" || { echo "process $4 is not in the cgroup $3" >&2; exit 1; }
ms() { echo $(($(date +%s%N) / 1000000)); }
begun=$(ms)
echo $$ > "$ours/cgroup.procs" &&
  as_user "${10}" dd if=/dev/zero of="$7" bs=1k count="$8" oflag=nofollow,nonblock conv=fsync,excl 2> /dev/null
done=$?
took=$(($(ms) - begun))
as_user "${10}" rm -f "$7"
[ "$done" = 0 ] || { echo "$7 cannot be written" >&2; exit 1; }
[ "$took" -ge "$9" ] || { echo "$8 KiB were flushed within $took ms" >&2; exit 1; }
"""
)

# $1 instance directory, $2 store, $3 the cgroup's name, $4 the file, $5 the note of where the process was, $6
# whose the store is. What waits already is let go first.
_HEAL = (
    _TOOLS
    + AS_USER
    + notes.SHELL
    + """
as_user "$6" rm -rf --one-file-system -- "$4"
mounted || exit 1
removed() {
  rmdir "$1" 2> /dev/null && return
  for pid in $(cat "$1/cgroup.procs"); do echo "$pid" > "$top$2/cgroup.procs"; done 2> /dev/null
  return 1
}
find "$top" -type d -name "$3" | while read -r ours; do
  above=${ours#"$top"}
  read -r was 2> /dev/null < "$5" || was=${above%/*}
  cut -d ' ' -f 1 "$ours/$limits" | while read -r disk; do limit "$disk" 0 > "$ours/$limits"; done
  wait_until removed "$ours" "$was" || { echo "the cgroup $3 cannot be removed" >&2; exit 1; }
done || exit 1
rm -f "$5"
forgotten "$5"
if [ -d "$top/rmqops-io" ] && [ -z "$(find "$top" -maxdepth 1 -name 'rmqops-fault-*')" ]; then
  echo -io > "$top/cgroup.subtree_control" && rmdir "$top/rmqops-io"
fi
"""
)

_HEALED = (
    _TOOLS
    + """
[ ! -e "$4" ] && [ ! -L "$4" ] || { echo "$4 is there still" >&2; exit 1; }
mounted || exit 1
[ -z "$(find "$top" -type d -name "$3")" ] || { echo "the cgroup $3 is there still" >&2; exit 1; }
"""
)


# $1 the script that proves whose store it is and prints the pid, $2 … its arguments
_WHERE = _TOOLS + 'proof=$1 && shift && pid=$(sh -c "$proof" rmqops "$@") && echo "$pid $(path "$pid")"'

# $1 a script, $2 … its arguments. It has mounts of its own.
_UNSHARED = """
[ "$(id -u)" = 0 ] || { echo "only root may limit a disk" >&2; exit 1; }
script=$1 && shift && unshare -m --propagation private sh -c "$script" rmqops "$@"
"""

_RUNS = '"$1/current/bin/pid.sh"'


def requires(aim: Aim) -> Command:
    """Probe for a limit that kernel and disk can have, and for the store; prints the pid and its cgroup."""
    directory, proof = store_directory.directory(aim.instance), store_directory.probe(aim.instance)
    where = Script(_WHERE, (proof.text, *proof.arguments))
    return _unshared(Script(_PROBE, (aim.instance.home, directory, _group(aim)))).then(where).command()


def plan(aim: Aim, probe_output: str) -> FaultPlan:
    """Return the plan; ``probe_output`` is the process id, and where in the hierarchy the process is."""
    pid, path = probe_output.strip().split(" ", 1)
    home, user, kib = aim.instance.home, aim.instance.service_user, aim.number("kib")
    cgroup = (home, store_directory.directory(aim.instance), _group(aim))
    file = f"{cgroup[1]}/.rmqops-fault-{aim.fault}"
    size, least = f"{kib * SECONDS:.0f}", f"{SECONDS * 500}"
    limit = (*cgroup, pid, f"{kib * 1024:.0f}", path)
    note = notes.path(aim, "cgroup")
    heal = _unshared(bounded_wait.script(_HEAL, *cgroup, file, note, user, seconds=END_SECONDS))
    started = Script(f'{_RUNS} || "$1/current/bin/start.sh"', (home,))
    return FaultPlan(
        inject=_unshared(Script(_INJECT, (*limit, note))).command(),
        verify=_unshared(Script(_VERIFY, (*limit, file, size, least, user))).command(timeout=60),
        heal=heal.then(started).command(
            timeout=END_SECONDS + processes.start(aim.instance).timeout + bounded_wait.MARGIN
        ),
        healed=_unshared(Script(_HEALED, (*cgroup, file))).then(Script(_RUNS, (home,))).command(),
    )


def _group(aim: Aim) -> str:
    return f"rmqops-fault-{aim.fault}"


def _unshared(script: Script) -> Script:
    """Return the script that runs one, which is for root, with mounts of its own."""
    return Script(_UNSHARED, (script.text, *script.arguments))
