"""What a broker's commit log holds beyond a place: counted, and set aside.

A master that died may have taken messages that no slave has copied. Its log and the new master's are the same up
to the place that the slave had reached, and different from there on. A broker of 4.x does not notice: as a slave
it asks its master for what follows its own end, and appends that to whatever it has (``HAService.HAClient``). So
what lies beyond that place is moved to files of its own, and set to zero in the log, which the broker's own
recovery takes for the end (``CommitLog.recoverAbnormally``). A message that was copied in part goes whole.

So do the queues' entries. The recovery only moves a queue's end back (``ConsumeQueue.truncateDirtyLogicFiles``);
the next start reads on over what it finds (``recover``), and once the log has grown past those places again the
old entries point into other messages: seen with 4.4.0, in the second of several changes there and back.
"""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass
from datetime import UTC, datetime

from rmqops.model.commands import Command
from rmqops.model.topology import Instance
from rmqops.operations.hosts.answers import understood
from rmqops.transport.base import Transport, check

TIMEOUT = 600.0
"""Seconds: a file of the log has 1 GiB by default, and is read once."""

# argv: the broker's home, its log's directory, its store's root, the place, where it is set aside or nothing, and
# whose the store is. Root becomes that user before it opens anything there: any name may be a link or a pipe.
# The log's files are named by the place at which they begin and end in zeros. A message begins with its length and
# its magic number; one that does not fit into the rest of a file is preceded by a blank with a length and a number
# of its own.
_PROGRAM = r"""
import hashlib, json, os, pwd, stat, struct, subprocess, sys
home, log, root, start, aside, user = *sys.argv[1:4], int(sys.argv[4]), *sys.argv[5:7]
if subprocess.run([home + "/current/bin/pid.sh"], stdout=subprocess.DEVNULL).returncode == 0:
    sys.exit("it runs")
if user and os.geteuid() == 0:
    owner = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(owner.pw_gid)
    os.setuid(owner.pw_uid)
os.umask(0o027)
MESSAGE, BLANK = 0xDAA320A7, 0xCBD43194
there = os.listdir(log) if os.path.isdir(log) else []
names = sorted(name for name in there if name.isdigit() and len(name) == 20)

def plain(path):
    return stat.S_ISREG(os.lstat(path).st_mode)

def opened(path, mode):
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | (os.O_RDWR if "+" in mode else os.O_RDONLY)
    return os.fdopen(os.open(path, flags), mode)

odd = [name for name in names if not plain(os.path.join(log, name))]
if odd:
    sys.exit(f"{log}/{odd[0]} is not a regular file")
files = [(int(name), os.path.join(log, name), os.path.getsize(os.path.join(log, name))) for name in names]
files = [file for file in files if file[0] + file[2] > start]
messages, first, end, whole = 0, start, start, True

def blocks(stream, at, size):
    stream.seek(at)
    while at < size:
        block = stream.read(min(size - at, 1 << 20))
        at += len(block)
        yield block

def written(path, at, size):
    with opened(path, "rb") as stream:
        return any(block.count(0) != len(block) for block in blocks(stream, at, size))

begun = [file for file in files if written(file[1], max(0, start - file[0]), file[2])]
before = hashlib.sha256()
for base, path, size in files:
    if not whole:
        break
    whole = False
    with opened(path, "rb") as stream:
        at = 0
        if base < start:
            low = max(0, start - base - 65536)
            stream.seek(low)
            before.update(stream.read(start - base - low))
        while at + 8 <= size:
            stream.seek(at)
            length, magic = struct.unpack(">II", stream.read(8))
            if magic == BLANK:
                whole = True
                break
            if magic != MESSAGE or length < 8 or at + length > size:
                break
            if base + at + length > start and begun:
                first = first if messages else min(start, base + at)
                messages += 1
                end = base + at + length
            at += length
found = {"messages": messages, "bytes": end - start, "before": before.hexdigest(), "aside": ""}
if aside and begun:
    # All that is not zero is kept: a message of which the beginning was copied whole, one that was being written
    # as well. Nothing is taken out of the log before all of it is on disk elsewhere.
    found["aside"] = aside
    os.makedirs(aside)
    for base, path, size in begun:
        skip = max(0, first - base)
        kept = os.path.join(aside, "%020d" % (base + skip))
        with opened(path, "rb") as stream, open(kept + ".part", "xb") as copy:
            for block in blocks(stream, skip, size):
                if block.count(0) == len(block):
                    copy.seek(len(block), 1)
                else:
                    copy.write(block)
            copy.truncate(size - skip)
            copy.flush()
            os.fsync(copy.fileno())
        os.rename(kept + ".part", kept)
    # Without it the broker would believe that it ended in order, and trust its queues.
    mark = os.path.join(root, "abort")
    if not os.path.lexists(mark):
        open(mark, "x").close()
    # Entries of 20 bytes, place and length first, in the order of the log.
    for directory, _, entries in os.walk(os.path.join(root, "consumequeue")):
        for name in sorted((entry for entry in entries if entry.isdigit()), reverse=True):
            path = os.path.join(directory, name)
            if not plain(path):
                continue
            with opened(path, "r+b") as stream:
                content = stream.read()
                used = [at for at in range(0, len(content) - 19, 20) if content[at + 8:at + 12] != b"\0\0\0\0"]
                late = [at for at in used if struct.unpack_from(">q", content, at)[0] >= first]
                if late:
                    stream.truncate(late[0])
                    stream.truncate(len(content))
                    os.fsync(stream.fileno())
            if len(late) < len(used):
                break
    for base, path, size in reversed(begun):
        with opened(path, "r+b") as stream:
            stream.truncate(max(0, first - base))
            stream.truncate(size)
            os.fsync(stream.fileno())
print(json.dumps(found))
"""


@dataclass(frozen=True)
class CommitLogTail:
    """What lies in a log beyond a place."""

    messages: int
    """Whole messages that end beyond it."""
    bytes: int
    """Up to the end of the last of them."""
    before: str
    """A digest of the last bytes before it, to be held against another log's."""
    aside: str
    """The directory that it has been moved to; empty when there was nothing, or it was only counted."""


def count(instance: Instance, start: int, transport: Transport) -> CommitLogTail:
    """Count what a stopped broker's log holds beyond a place, touching nothing.

    Raises:
        OperationFailed: it runs, or its log cannot be read.
    """
    return _run(instance, start, "", transport)


def set_aside(instance: Instance, start: int, transport: Transport) -> CommitLogTail:
    """Move what a stopped broker's log holds beyond a place to files of its own; once more, it finds nothing.

    They lie in ``not-copied/<UTC time>`` below its store, each named by the place in the log at which it begins.

    Raises:
        OperationFailed: it runs, or there is no room; what is in the log is there until its copy is on disk.
    """
    aside = f"{instance.text('rocketmq_data_dir')}/not-copied/{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    return _run(instance, start, aside, transport)


def _run(instance: Instance, start: int, aside: str, transport: Transport) -> CommitLogTail:
    root = instance.text("rocketmq_data_dir")
    interpreter = str(instance.variables.get("ansible_python_interpreter") or "")
    python = interpreter if interpreter.startswith("/") else "python3"
    argv = (
        python,
        "-I",
        "-c",
        _PROGRAM,
        instance.home,
        f"{root}/commitlog",
        root,
        str(start),
        aside,
        instance.service_user,
    )
    answer = check(transport.run(Command(argv, timeout=TIMEOUT)), transport.host).stdout
    with understood(transport.host, answer):
        tail = CommitLogTail(**json.loads(answer))
        if [type(value) for value in astuple(tail)] != [int, int, str, str]:
            raise ValueError(f"not what is in {root}/commitlog")
    return tail
