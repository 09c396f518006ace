#!/usr/bin/python
# Apache License 2.0 (see LICENSE)
"""Remove an instance from its host: what bears its mark, and nothing else."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rocketmq_removal
short_description: Removes the directories of an instance that bear its mark
description:
  - Removes what M(rocketmq_directories) and M(rocketmq_tree) made and the instance wrote, by descriptors, so that
    no link is followed and no other mount entered. A directory that is a mount is emptied and stays.
  - What bears another mark, or none and is not named by the instance's own C(current/bin/run.sh), is left and
    told.
options:
  path: {description: The instance's directory., type: path, required: true}
  owner_mark: {description: "Text of the mark, C(CLUSTER/INSTANCE).", type: str, required: true}
  data: {description: The data directory., type: path, required: true}
  logs: {description: The log directory., type: path, required: true}
  keep_data: {type: bool, default: true, description: Whether a data directory with something in it stays.}
author: [rmqops]
"""

EXAMPLES = r"""
- name: Remove a broker, and keep its messages
  rocketmq_removal:
    path: /srv/rocketmq/instances/broker-a-0
    owner_mark: "cluster-a/broker-a-0"
    data: /data/rocketmq
    logs: /var/log/rocketmq/broker-a-0
"""

RETURN = r"""
directories: {description: What was removed., returned: always, type: list, elements: str}
left: {description: What was not removed and why., returned: always, type: list, elements: str}
"""

import base64  # noqa: E402
import contextlib  # noqa: E402
import errno  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import stat  # noqa: E402
import types  # noqa: E402

# Ansible puts the arguments in here; rocketmq_tree says why it is done so.
ARGUMENTS = r"""<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>"""

GIVEN = json.loads(ARGUMENTS)
OPTIONS = json.loads(base64.b64decode(GIVEN["packed"]))
CHECK = GIVEN.get("_ansible_check_mode", False)
look = types.ModuleType("look")
exec(compile(OPTIONS["look"], "directories.py", "exec"), look.__dict__)  # files/directories.py

DEEP = 100
"""Levels below which a directory is moved up before it is removed: whoever fills it decides how deep it is."""


def emptied(top, keep=()):
    """Remove all that a directory holds, but some names; return what was left because it is another mount."""
    mount, left, moved = look.mount_of(top), [], 0

    def clear(at, names, depth):
        nonlocal moved
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                if not stat.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
                    os.unlink(name, dir_fd=at)
                    continue
                if depth == DEEP:
                    moved += 1
                    os.rename(name, f".removed-{os.getpid()}-{moved}", src_dir_fd=at, dst_dir_fd=top)
                    continue
                below = os.open(name, look.LISTING | os.O_NOFOLLOW, dir_fd=at)
                try:
                    if look.mount_of(below) != mount:
                        left.append(name)
                        continue
                    clear(below, os.listdir(below), depth + 1)
                finally:
                    os.close(below)
                try:
                    os.rmdir(name, dir_fd=at)
                except OSError as error:
                    if error.errno != errno.ENOTEMPTY:  # holds a mount, or what came meanwhile
                        raise

    while True:
        before = moved
        clear(top, [name for name in os.listdir(top) if name not in keep], 1)
        if moved == before:
            return left


def removed(path):
    """Remove a directory, or empty it where it is a mount or a link leads to it; return why something stayed."""
    with look.directory(path) as at:
        if at is None:
            return None
        mount, own = look.is_mount(at), os.fstat(at)
        stays = {"lost+found"} if mount else set()
        left = emptied(at, {look.MARK, *stays}) or emptied(at, stays)  # the mark goes last
        if left:
            return f"{path}: {', '.join(left)} in it is another mount"
    above, name = os.path.split(os.path.normpath(path))
    with look.directory(above) as at:
        found = os.stat(name, dir_fd=at, follow_symlinks=False)
        if mount or (found.st_dev, found.st_ino) != (own.st_dev, own.st_ino):
            return None
        os.rmdir(name, dir_fd=at)
    return None


def absent(options, check):
    """Remove what bears the mark; data only when told so, or when there are none."""
    home, mark = options["path"], options["owner_mark"]
    done, left = [], []
    with look.directory(home) as at:
        owner = None if at is None else look.mark_of(at)
    if owner not in {None, mark}:
        raise look.Refused(f"{home} belongs to {owner}, not to {mark}; nothing was removed")
    for key in ("logs", "data"):
        path = options[key]
        with look.directory(path) as at:
            if at is None:
                continue
            ours = look.mark_of(at) == mark or (owner == mark and look.named(home, path))
            full = look.content(at)
            if ours and key == "data" and options["keep_data"] and full and not check:
                look.put_mark(at, mark)  # by which they can be taken up, or removed, when the instance is gone
        if not ours:
            left += [f"{path}: no deploy of {mark} made it"] if owner == mark else []
        elif key == "logs" or not (options["keep_data"] and full):
            done.append(path)
            left += [] if check else filter(None, [removed(path)])
        else:
            left.append(f"{path}: the messages")
    if owner == mark:
        done.append(home)
        if not check:
            take_apart(home, {"current", "trees", "run", "heals", "promoted", "pid"})
    elif done and not check:
        take_apart(home, set())  # where an earlier destroy has left nothing but the messages
    return {"changed": bool(done), "directories": done, "left": left, "stdout": "; ".join(left)}


def take_apart(home, names):
    """Remove some things from an instance's directory, its mark last, and itself when nothing is left in it."""
    with look.directory(home) as at:
        if at is None:
            return
        emptied(at, set(os.listdir(at)) - names)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(look.MARK, dir_fd=at)
        empty = not os.listdir(at) and not look.is_mount(at)
    above, name = os.path.split(os.path.normpath(home))
    if empty:
        with look.directory(above) as at, contextlib.suppress(NotADirectoryError):  # a link leads to it
            os.rmdir(name, dir_fd=at)


if __name__ == "__main__":
    look.perform(absent, OPTIONS, CHECK)
