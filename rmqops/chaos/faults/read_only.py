"""The store can no longer be written to, as when the kernel has made its file system read-only after an error.

A read-only mount of the store's directory is laid over it, in the mount namespace of the broker's own process
(a systemd unit that is protected has one of its own). So every file that the broker opens or makes from then on
fails with EROFS: offsets, topics, checkpoints, the term of a vote, the next file of a log. What it has open and
mapped already goes on, which a file system that has become read-only would not let it: a broker may go on to
take messages until its current log file is full.

The mount is the process's own and goes with it: a unit that systemd starts again has a store that can be
written to. Where the process has no namespace of its own the mount is the host's, and the heal takes it away.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import bounded_wait, notes, processes, store_directory
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.model.commands import AS_USER, Command, Script

SUMMARY = "whatever the broker opens in its store from now on is read-only; healed by unmounting"
OPTIONS: dict[str, Option] = {}

VERIFY_SECONDS = 10
MOUNT_SECONDS = 5
"""How long mounting and unmounting may be tried again; a file is open for a moment in between."""

# `mounts` prints how many mounts lie on the store, as process $1 sees it, and `over` 1 when the last of them is a
# read-only one. Field 5 of mountinfo is the place, without spaces, and field 6 what the mount itself says, which
# its file system does not change.
_MOUNTS = """
where=$(readlink -f "$2" | sed 's/ /\\\\040/g')
export where
mounts() { awk '$5 == ENVIRON["where"] { count++ } END { print count + 0 }' "/proc/$1/mountinfo"; }
over() {
  awk '$5 == ENVIRON["where"] { options = $6 } END { print options ~ /(^|,)ro(,|$)/ }' "/proc/$1/mountinfo"
}
"""

_PROBE = (
    _MOUNTS
    + """
[ "$(id -u)" -eq 0 ] || { echo "only root can mount" >&2; exit 1; }
command -v nsenter > /dev/null || { echo "there is no nsenter" >&2; exit 1; }
eff=$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
[ $((0x$eff >> 21 & 1)) -eq 1 ] || { echo "this host does not let root mount (no CAP_SYS_ADMIN)" >&2; exit 1; }
pid=$("$1/current/bin/pid.sh") || { echo "$1 does not run" >&2; exit 1; }
nsenter -t "$pid" -m true || { echo "the mounts of process $pid cannot be entered" >&2; exit 1; }
[ "$(over "$pid")" = 0 ] || { echo "$2 is mounted read-only already" >&2; exit 1; }
"""
)

# $1 home, $2 store, $3 pid, $4 the note: which namespace a mount may be in, and how many lay there before. The
# broker may open a file between mount and remount; then that is refused (EBUSY), and all of it is tried again.
_INJECT = (
    _MOUNTS
    + notes.SHELL
    + """
now=$("$1/current/bin/pid.sh") || { echo "$1 does not run" >&2; exit 1; }
[ "$now" = "$3" ] || { echo "$1 runs as $now and not as $3 any more" >&2; exit 1; }
noted "$4" && echo "$(readlink "/proc/$3/ns/mnt") $(mounts "$3")" > "$4" || exit 1
mounted() {
  nsenter -t "$2" -m mount --bind "$1" "$1" || exit 1
  answer=$(nsenter -t "$2" -m mount -o remount,bind,ro "$1" 2>&1) && return
  nsenter -t "$2" -m umount -l "$1" || exit 1
  return 1
}
wait_until mounted "$2" "$3" || { echo "$answer" >&2; exit 1; }
"""
)

# $1 home, $2 store, $3 pid, $4 the name that is tried, $5 whose the store is, $6 what acts as that user: root
# would follow a link.
_VERIFY = """
pid=$("$1/current/bin/pid.sh") || { echo "$1 does not run" >&2; exit 1; }
[ "$pid" = "$3" ] || { echo "$1 runs as $pid and not as $3 any more, and its mounts are new" >&2; exit 1; }
tried() { nsenter -t "$2" -m /bin/sh -c "$5" rmqops "$4" "$1" "$3"; }
answer=$(tried mkdir "$3" "$2/$4" "$5" "$6" 2>&1) &&
  { tried rmdir "$3" "$2/$4" "$5" "$6"; echo "$2 can be written to" >&2; exit 1; }
case $answer in *"Read-only file system"*) ;; *) echo "$answer" >&2; exit 1 ;; esac
"""

# $1 home, $2 store, $3 the note. What lay there before stays, and another namespace is none of ours.
_HEAL = (
    _MOUNTS
    + notes.SHELL
    + """
unmounted() {
  [ "$(readlink "/proc/$pid/ns/mnt")" = "$space" ] && [ "$(mounts "$pid")" -gt "$before" ] || return 0
  nsenter -t "$pid" -m umount "$1" || nsenter -t "$pid" -m umount -l "$1"
  return 1
}
if read -r space before 2> /dev/null < "$3"; then
  for pid in $("$1/current/bin/pid.sh") $$; do
    wait_until unmounted "$2" || { echo "$2 cannot be unmounted" >&2; exit 1; }
  done
fi
rm -f "$3" || exit 1
forgotten "$3"
exec "$1/current/bin/start.sh"
"""
)

_HEALED = (
    _MOUNTS
    + """
[ ! -e "$3" ] || { echo "$3 is there still" >&2; exit 1; }
pid=$("$1/current/bin/pid.sh") || { echo "$1 does not run" >&2; exit 1; }
[ "$(over "$pid")" = 0 ] || { echo "$2 is read-only still" >&2; exit 1; }
"""
)


def requires(aim: Aim) -> Command:
    """Probe for the right to mount, and that the store is the running process's own."""
    home, directory = aim.instance.home, store_directory.directory(aim.instance)
    return Script(_PROBE, (home, directory)).then(store_directory.probe(aim.instance)).command()


def plan(aim: Aim, probe_output: str) -> FaultPlan:
    """Return the plan; ``probe_output`` is the process id."""
    instance, pid = aim.instance, probe_output.strip()
    home, directory = instance.home, store_directory.directory(instance)
    note, start = notes.path(aim, "read-only"), processes.start(instance).timeout
    return FaultPlan(
        inject=bounded_wait.command(_INJECT, home, directory, pid, note, seconds=MOUNT_SECONDS),
        verify=Command.shell(
            *(
                _VERIFY,
                home,
                directory,
                pid,
                f"probe-{aim.fault}",
                instance.service_user,
                f'{AS_USER}as_user "$@"',
            ),
            timeout=VERIFY_SECONDS,
        ),
        heal=bounded_wait.command(_HEAL, home, directory, note, seconds=MOUNT_SECONDS, work=start),
        healed=Command.shell(_HEALED, home, directory, note),
    )
