# Apache License 2.0 (see LICENSE)
"""What the modules that make and remove directories have in common: looking without being led astray, and the end.

Their action hands this text to them with the options (``docs/adr/0008``).
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import stat
import sys

MARK = ".rmqops"
PASSING, LISTING = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, os.O_RDONLY | os.O_DIRECTORY


class Refused(Exception):
    """What is asked for cannot be done; the message says why and what to do."""


def opened(path, make=False):
    """Open a directory name by name, and return its descriptor; None where there is none.

    Root follows a link only if root made it: one of somebody else's may lead to what is not theirs.
    """
    at, names, links = os.open("/", PASSING), path.split("/")[::-1], 0
    try:
        while names:
            name = names.pop()
            if name in {"", "."}:
                continue
            try:
                found = os.stat(name, dir_fd=at, follow_symlinks=False)
            except FileNotFoundError:
                if not make:
                    return None
                os.mkdir(name, 0o755, dir_fd=at)
                found = os.stat(name, dir_fd=at, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                links += 1
                if links > 40 or (os.geteuid() == 0 and found.st_uid != 0):
                    raise Refused(
                        f"{path}: {name} in it is a link of {user_name(found.st_uid)}, and root does not follow "
                        "it; put a directory in its place, or let root make the link"
                    )
                target = os.readlink(name, dir_fd=at)
                names += target.split("/")[::-1]
                following = os.open("/", PASSING) if target.startswith("/") else os.dup(at)
            elif stat.S_ISDIR(found.st_mode):
                following = os.open(name, PASSING, dir_fd=at)
            else:
                raise Refused(f"{path}: {name} in it is no directory; move it away, or choose another directory")
            os.close(at)
            at = following
        return os.open(".", LISTING, dir_fd=at)
    finally:
        os.close(at)


@contextlib.contextmanager
def directory(path, make=False):
    """Yield a directory's descriptor, or None."""
    at = opened(path, make)
    try:
        yield at
    finally:
        if at is not None:
            os.close(at)


def user_name(number):
    """Return a user's name."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def text_of(name, at, trusted=()):
    """Return the beginning of a regular file of a directory; None where there is none of a trusted user."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
    except OSError:
        return None
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or (trusted and found.st_uid not in trusted):
            return None
        return os.read(file, 65536).decode("utf-8", "replace")
    finally:
        os.close(file)


def mark_of(at):
    """Return whose a directory is; None where it is not marked."""
    text = text_of(MARK, at)
    if text is None:
        return None
    return text.strip() if re.fullmatch(r"[\w./-]{1,300}\n?", text, re.ASCII) else "?"


def put_mark(at, mark):
    """Mark a directory, whatever lies in the mark's place: the service may have put it into its own."""
    try:
        os.unlink(MARK, dir_fd=at)
    except FileNotFoundError:
        pass
    except IsADirectoryError:
        os.rename(MARK, f"{MARK}-{os.getpid()}", src_dir_fd=at, dst_dir_fd=at)
    file = os.open(MARK, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644, dir_fd=at)
    with os.fdopen(file, "w", encoding="utf-8") as stream:
        stream.write(mark + "\n")


def mount_of(at):
    """Return the number of the mount that a directory lies on: one bound from the same disk has another, too."""
    with open(f"/proc/self/fdinfo/{at}", encoding="ascii") as stream:
        return next(line.split()[1] for line in stream if line.startswith("mnt_id:"))


def is_mount(at):
    """Tell whether a directory is where something is mounted."""
    above = os.open("..", PASSING, dir_fd=at)
    try:
        return mount_of(at) != mount_of(above)
    finally:
        os.close(above)


def content(at):
    """Return the names in a directory, without the mark and what a new file system holds."""
    return sorted(name for name in os.listdir(at) if name not in {MARK, "lost+found"})


def named(home, path):
    """Tell whether the instance that is deployed here says by its own run.sh that a directory is its own."""
    with directory(f"{home}/current/bin") as at:
        text = None if at is None else text_of("run.sh", at, {0, os.geteuid()})
    words = re.findall(r"'(/[^'\n]*)'", text or "")
    return os.path.normpath(path) in {os.path.normpath(word) for word in words}


def perform(act, options, check):
    """Run a module: do what it is for, print the result, and end."""
    os.umask(0o022)
    try:
        result = act(options, check)
    except Refused as error:
        result = {"failed": True, "msg": str(error)}
    except OSError as error:
        result = {"failed": True, "msg": f"{error.filename or options['path']}: {error.strerror}"}
    print(json.dumps(result))
    sys.exit(1 if result.get("failed") else 0)
