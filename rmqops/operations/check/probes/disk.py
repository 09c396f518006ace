"""Room, file system and permission for every directory that an instance writes to.

Brokers allocate a file of commit log before the one in use is full (``AllocateMappedFileService``). DLedger
deletes expired files from 70 % on and all old ones by force from 85 % on (DLedger 0.1); without it the broker
does so from 75 % and 85 % (``DefaultMessageStore``, 4.5.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rmqops.model.commands import Command
from rmqops.model.releases import RELEASES
from rmqops.model.rules.memory import size_text
from rmqops.model.topology import Instance
from rmqops.operations.check.probes import Finding, Survey, failed, ok, unknown, warning
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer

SUMMARY = (
    "Each file system that an instance writes to has room, is below the ratios at which messages are "
    "deleted, is of a fit sort, and can be written."
)
EXPIRE, FORCE = 70, 85
"""Percent used at which DLedger deletes expired files, and any old ones."""
OTHER: Final = 256 << 20
"""Bytes for a release, and for logs."""
COMMIT_LOG: Final = 1 << 30
"""Bytes of one file of the commit log, by default (``MessageStoreConfig``, every release)."""
UNFIT: Final = {
    "tmpfs": "is memory: messages are gone after a reboot",
    "ramfs": "is memory: messages are gone after a reboot",
    "overlay": "is a container's layer: messages go with the container, and writes are slow",
    "vfat": "has no owners and no large files",
}
NETWORK: Final = ("nfs", "cifs", "smb", "fuse", "ceph", "glusterfs", "9p", "afs", "ocfs2", "gfs2")

_SCRIPT: Final = """
for path; do
  place=$path
  until [ -d "$place/" ]; do place=${place%/*}; done
  can=yes
  [ -w "$place/" ] || can=no
  df -B1 --output=fstype,size,used,avail,target "$place/" | {
    read -r _
    read -r line
    printf '%s %s\\n' "$can" "$line"
  }
done
"""


@dataclass(frozen=True)
class _Place:
    """What ``df`` says of the file system of one path."""

    sort: str
    size: int
    used: int
    free: int
    mount: str
    writable: bool

    @property
    def percent(self) -> int:
        """How full it is, as ``df`` and the JVM count: of what an ordinary user may use."""
        return round(100 * self.used / max(1, self.used + self.free))


def ask(machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Ask ``df`` about the nearest directory that is there already."""
    yield Command.shell(_SCRIPT, *(path for _, path, _ in _paths(machine)), timeout=10)


def judge(machine: Machine, answers: tuple[Answer, ...], _survey: Survey) -> Iterator[Finding]:
    """Hold each file system against the sum of what is to lie there."""
    paths = list(_paths(machine))
    lines = answers[0].lines
    if len(lines) != len(paths):
        what = "df did not answer: a network file system that hangs, perhaps" if answers[0].code != 0 else "no df"
        yield unknown(what, "df answers", "Look with `df -h`")
        return
    mounts: dict[str, list[tuple[Instance, str, int, _Place]]] = {}
    for (instance, path, need), line in zip(paths, lines, strict=True):
        place = _parse(line)
        mounts.setdefault(place.mount, []).append((instance, path, need, place))
        if not place.writable:
            what = f"{path} cannot be made or written there (file system {place.mount}, {place.sort})"
            remedy = "Mount it for writing and let the user write there, or choose another directory"
            yield failed(what, "can be written", remedy, subject=instance.name)
    for mount, uses in mounts.items():
        data = any(item.kind == "broker" and path == _data(item) for item, path, _, _ in uses)
        yield from _room(mount, uses[0][3], sum(need for _, _, need, _ in uses), data)
        if data:
            yield from _sort(mount, uses[0][3])


def _paths(machine: Machine) -> Iterator[tuple[Instance, str, int]]:
    """Yield every directory to be written with the bytes that it needs at once."""
    bases = set()
    for instance in machine.instances:
        base = instance.text("rocketmq_base_dir")
        if base not in bases:
            bases.add(base)
            yield instance, base, OTHER
        yield instance, instance.text("rocketmq_log_dir"), OTHER // 4
        if instance.kind == "broker":
            yield instance, _data(instance), 2 * _commit_log(instance)


def _data(instance: Instance) -> str:
    return instance.text("rocketmq_data_dir")


def _commit_log(instance: Instance) -> int:
    """Return the size of one file of the commit log in bytes."""
    config = instance.variables["rocketmq_config"]
    key = RELEASES[instance.text("rocketmq_version")].commit_log_size_key
    size = str(config.get(key, "")) if isinstance(config, dict) else ""
    return int(size) if size.isdecimal() else COMMIT_LOG


def _room(mount: str, place: _Place, need: int, data: bool) -> Iterator[Finding]:
    found = f"{place.sort}, {size_text(place.free)} free of {size_text(place.size)}, {place.percent} % used"
    wanted = f"{size_text(need)} free" + (f", below {EXPIRE} % used" if data else "")
    if place.free < need:
        yield failed(found, wanted, "Make room, or choose another file system", subject=mount)
    elif data and place.percent >= FORCE:
        remedy = f"Make room: from {FORCE} % on the broker deletes old messages by force"
        yield failed(found, wanted, remedy, subject=mount)
    elif data and place.percent >= EXPIRE:
        remedy = f"Make room: from {EXPIRE} % on the broker deletes expired files at any hour"
        yield warning(found, wanted, remedy, subject=mount)
    else:
        yield ok(found, wanted, subject=mount)


def _sort(mount: str, place: _Place) -> Iterator[Finding]:
    why = UNFIT.get(place.sort)
    if why is None and place.sort.startswith(NETWORK):
        why = "is on the network: when it stalls, so does the broker, and a mapped file may tear"
    if why:
        found = f"{place.sort}, which {why}"
        remedy = "Set rocketmq_data_dir to a local disk"
        yield warning(found, "ext4 or xfs on a local disk", remedy, subject=f"{mount} (sort)")


def _parse(line: str) -> _Place:
    can, sort, size, used, free, mount = line.split(None, 5)
    return _Place(sort, _number(size), _number(used), _number(free), mount, can == "yes")


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
