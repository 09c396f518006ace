#!/usr/bin/python
# Apache License 2.0 (see LICENSE)
"""Put an instance's files on a host as one tree named by its content, or take the instance away."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rocketmq_tree
short_description: Puts an instance's files on a host as one tree named by its content
description:
  - The files lie in C(trees/DIGEST) below O(path), and the link C(current) points to the tree in force. A tree
    is written beside the others and the link is switched at once, so that an interrupted run leaves the
    instance as it was.
  - A tree that somebody edited no longer has the content of its name, and is written again.
options:
  path: {description: The instance's directory., type: path, required: true}
  owner_mark:
    description: Text in C(.rmqops) that says whose directory it is. A directory with another text is refused.
    type: str
    required: true
  state: {type: str, choices: [present, absent], default: present, description: What is wanted.}
  files:
    description: Text of each file by its path below the tree. Names that end in C(.sh) are made executable.
    type: dict
    default: {}
  data: {type: path, description: "With O(state=absent), the data directory; it is removed if it is empty."}
  keep_data: {type: bool, default: true, description: Whether a data directory with something in it stays.}
  logs: {type: path, description: "With O(state=absent), the log directory to remove."}
  keep: {type: int, default: 3, description: How many trees to keep.}
author: [rmqops]
"""

EXAMPLES = r"""
- name: Put the files of a broker in place
  rocketmq_tree:
    path: /srv/rocketmq/instances/broker-a-0
    owner_mark: "cluster-a/broker-a-0"
    files: {conf/broker.p: "brokerName=broker-a"}
"""

RETURN = r"""
tree: {description: Name of the tree in force., returned: state is present, type: str}
files: {description: Files that changed., returned: always, type: list, elements: str}
"""

import base64  # noqa: E402
import contextlib  # noqa: E402
import fcntl  # noqa: E402
import hashlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import shutil  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402

# Plain Python and its own arguments instead of Ansible's module_utils: those are compiled anew at each call, which
# takes a third of a second of the host and the full standard library. The action of the same name checks and packs
# the options; Ansible puts them in here (its "JSONARGS" kind of module).
ARGUMENTS = r"""<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>"""

MARK = ".rmqops"


class Refused(Exception):
    """What is asked for cannot be done; the message says why and what to do."""


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


def check_owner(home, mark, fresh):
    """Refuse a directory that belongs to something else; a fresh instance needs one that nobody filled."""
    path = os.path.join(home, MARK)
    if os.path.exists(path):
        with open(path, encoding="utf-8") as stream:
            owner = stream.read().strip()
        if owner != mark:
            raise Refused(f"{home} belongs to {owner}, not to {mark}; choose another rocketmq_instance_dir")
    elif fresh and os.path.isdir(home):
        foreign = sorted(set(os.listdir(home)) - {"data", "store", "logs", "run", "current"})
        if foreign:
            raise Refused(
                f"{home} exists, was not made by rmqops and holds {', '.join(foreign[:5])}; "
                "choose another rocketmq_instance_dir or remove it"
            )


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
    os.makedirs(trees, exist_ok=True)
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


def present(options, check, diff):
    """Bring the tree in place."""
    home, files, mark = (options[key] for key in ("path", "files", "owner_mark"))
    check_owner(home, mark, fresh=True)
    name = digest_of(files)
    current = os.path.join(home, "current")
    before = read_tree(current) if os.path.isdir(current) else {}
    linked = os.path.islink(current) and os.readlink(current) == os.path.join("trees", name)
    changed = [path for path in sorted(set(files) | set(before)) if files.get(path) != before.get(path)]
    result = {"changed": bool(changed) or not linked, "tree": name, "files": changed}
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
            put(home, mark, name, files, options["keep"])
    return result


def put(home, mark, name, files, keep):
    """Mark the directory as ours, write the tree where it is not there as it should be, and switch to it."""
    with open(os.path.join(home, MARK), "w", encoding="utf-8") as stream:
        stream.write(mark + "\n")
    target = os.path.join(home, "trees", name)
    if not os.path.isdir(target) or read_tree(target) != files:
        write_tree(home, name, files)
    switch(home, name)
    prune(home, name, keep)


def absent(options, check, _diff):
    """Remove what :func:`present` and the instance made; data only when told so, or when there are none."""
    home, mark = options["path"], options["owner_mark"]
    if not os.path.exists(os.path.join(home, MARK)):
        return {"changed": False, "files": []}
    check_owner(home, mark, fresh=False)
    logs, data = options["logs"], options["data"]
    keep = options["keep_data"] and os.path.isdir(data) and os.listdir(data)
    targets = [os.path.join(home, name) for name in ("current", "trees", "run", "heals")]
    targets += [logs] if keep else [logs, data]
    targets.append(os.path.join(home, MARK))
    removed = []
    for target in targets:  # the mark goes last, so that an interrupted removal can be run again
        if os.path.lexists(target):
            removed.append(target)
            if check:
                continue
            if os.path.islink(target) or os.path.isfile(target):
                os.remove(target)
            else:
                shutil.rmtree(target)
    if not check and os.path.isdir(home) and not os.listdir(home):
        os.rmdir(home)
    return {"changed": bool(removed), "files": removed}


def main():
    """Run the module."""
    try:
        given = json.loads(ARGUMENTS)
        options = json.loads(base64.b64decode(given["packed"]))
        check, diff = given.get("_ansible_check_mode", False), given.get("_ansible_diff", False)
        result = (present if options["state"] == "present" else absent)(options, check, diff)
    except Refused as error:
        result = {"failed": True, "msg": str(error)}
    except OSError as error:
        result = {"failed": True, "msg": f"{error.filename or 'the tree'}: {error.strerror}"}
    print(json.dumps(result))
    sys.exit(1 if result.get("failed") else 0)


if __name__ == "__main__":
    main()
