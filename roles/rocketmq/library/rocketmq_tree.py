#!/usr/bin/python
# Apache License 2.0 (see LICENSE)
"""Put an instance's files on a host as one tree named by its content."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rocketmq_tree
short_description: Puts an instance's files on a host as one tree named by its content
description:
  - The files lie in C(trees/DIGEST) below O(path), and the link C(current) points to the tree in force. A tree
    is written beside the others and the link is switched at once, so that an interrupted run leaves the
    instance as it was.
  - A tree that somebody edited no longer has the content of its name, and is written again.
  - The directory is made and marked by M(rocketmq_directories).
options:
  path: {description: The instance's directory., type: path, required: true}
  files:
    description: Text of each file by its path below the tree. Names that end in C(.sh) are made executable.
    type: dict
    default: {}
  keep: {type: int, default: 3, description: How many trees to keep.}
author: [rmqops]
"""

EXAMPLES = r"""
- name: Put the files of a broker in place
  rocketmq_tree:
    path: /srv/rocketmq/instances/broker-a-0
    files: {conf/broker.p: "brokerName=broker-a"}
"""

RETURN = r"""
tree: {description: Name of the tree in force., returned: always, type: str}
files: {description: Files that changed., returned: always, type: list, elements: str}
"""

import base64  # noqa: E402
import contextlib  # noqa: E402
import fcntl  # noqa: E402
import hashlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import shutil  # noqa: E402
import stat  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402

# Plain Python and its own arguments instead of Ansible's module_utils: those are compiled anew at each call, which
# takes a third of a second of the host and the full standard library. The action of the same name checks and packs
# the options; Ansible puts them in here (its "JSONARGS" kind of module).
ARGUMENTS = r"""<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>"""


def mode_of(path):
    """Return the mode of a file of a tree."""
    return 0o755 if path.endswith(".sh") else 0o644


def digest_of(files):
    """Name a tree by its content; ``rmqops.render.files.tree_name`` computes the same."""
    digest = hashlib.sha256()
    for path in sorted(files):
        content = hashlib.sha256(files[path].encode()).hexdigest()
        digest.update(f"{path} {mode_of(path):04o} {content}\n".encode())
    return digest.hexdigest()[:16]


def read_tree(root):
    """Return the text of every file below a directory, by relative path."""
    texts = {}
    for directory, _subdirectories, names in os.walk(root):
        for name in names:
            path = os.path.join(directory, name)
            with open(path, encoding="utf-8", errors="replace", newline="") as stream:
                texts[os.path.relpath(path, root)] = stream.read()
    return texts


def odd_modes(root):
    """Return the files and directories of a tree that have not the owner or the mode that they should."""
    odd = []
    for directory, _subdirectories, names in os.walk(root):
        for path, mode in [(directory, 0o755), *((os.path.join(directory, name), None) for name in names)]:
            found, below = os.stat(path), os.path.relpath(path, root)
            wanted = mode or mode_of(below)
            if (stat.S_IMODE(found.st_mode), found.st_uid) != (wanted, os.geteuid()):
                odd.append(below)
    return odd


@contextlib.contextmanager
def alone(home):
    """Keep others out, such as what a killed run left working on the host."""
    directory = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def write_tree(home, name, files):
    """Write a tree beside the others and give it its name at once."""
    trees = os.path.join(home, "trees")
    temporary = tempfile.mkdtemp(prefix=".new-", dir=trees)
    os.chmod(temporary, 0o755)
    for path, content in files.items():
        target = os.path.join(temporary, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w", encoding="utf-8", newline="") as stream:
            stream.write(content)
            os.fchmod(stream.fileno(), mode_of(path))
            stream.flush()
            os.fsync(stream.fileno())
    target = os.path.join(trees, name)
    if os.path.isdir(target):  # edited since: set it aside, the new one takes its name
        aside = tempfile.mkdtemp(prefix=".old-", dir=trees)
        os.rename(target, os.path.join(aside, name))
    os.rename(temporary, target)


def switch(home, name):
    """Point ``current`` to a tree, atomically."""
    link = os.path.join(home, f".current-{os.getpid()}")
    os.symlink(os.path.join("trees", name), link)
    current = os.path.join(home, "current")
    if os.path.isdir(current) and not os.path.islink(current):  # installed by hand before
        os.rename(current, os.path.join(home, f"current.by-hand-{os.getpid()}"))
    os.replace(link, current)


def prune(home, name, keep):
    """Remove what interrupted runs left, and all but the newest trees."""
    trees = os.path.join(home, "trees")
    entries = sorted(os.scandir(trees), key=lambda entry: entry.stat().st_mtime, reverse=True)
    older = [entry for entry in entries if entry.name != name and not entry.name.startswith(".")]
    left = [entry for entry in entries if entry.name.startswith(".")]
    for entry in older[keep - 1 :] + left:
        shutil.rmtree(entry.path, ignore_errors=True)


def put_in_place(options, check, diff):
    """Bring the tree in place."""
    home, files = options["path"], options["files"]
    name = digest_of(files)
    current = os.path.join(home, "current")
    before = read_tree(current) if os.path.isdir(current) else {}
    linked = os.path.islink(current) and os.readlink(current) == os.path.join("trees", name)
    changed = [path for path in sorted(set(files) | set(before)) if files.get(path) != before.get(path)]
    odd = odd_modes(current) if before else []
    result = {"changed": bool(changed or odd) or not linked, "tree": name, "files": changed or odd}
    if diff:
        result["diff"] = [
            {
                "before_header": os.path.join(current, path),
                "after_header": os.path.join(current, path),
                "before": before.get(path, ""),
                "after": files.get(path, ""),
            }
            for path in changed
        ]
    if result["changed"] and not check:
        os.makedirs(home, exist_ok=True)
        with alone(home):
            put(home, name, files, options["keep"])
    return result


def put(home, name, files, keep):
    """Write the tree where it is not there as it should be, and switch to it."""
    trees = os.path.join(home, "trees")
    os.makedirs(trees, exist_ok=True)
    os.chmod(trees, 0o755)  # an earlier run may have made it under a umask that lets nobody pass
    target = os.path.join(trees, name)
    if not os.path.isdir(target) or read_tree(target) != files or odd_modes(target):
        write_tree(home, name, files)
    switch(home, name)
    prune(home, name, keep)


def main():
    """Run the module."""
    os.umask(0o022)
    try:
        given = json.loads(ARGUMENTS)
        options = json.loads(base64.b64decode(given["packed"]))
        check, diff = given.get("_ansible_check_mode", False), given.get("_ansible_diff", False)
        result = put_in_place(options, check, diff)
    except OSError as error:
        result = {"failed": True, "msg": f"{error.filename or 'the tree'}: {error.strerror}"}
    print(json.dumps(result))
    sys.exit(1 if result.get("failed") else 0)


if __name__ == "__main__":
    main()
