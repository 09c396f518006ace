#!/usr/bin/python
# Apache License 2.0 (see LICENSE)
"""Unpack releases and runtimes on a host, once, under names of their content, or sweep them all away."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rocketmq_release
short_description: Unpacks releases on a host, once, and points links to them
description:
  - A release lies in O(dest) under a name of its content; a link with a plain name points to the one in use.
  - The action of the same name carries archives to the host, if they are not unpacked there.
options:
  dest: {description: Directory that holds the releases., type: path, required: true}
  state: {type: str, choices: [present, absent], default: present, description: What is wanted.}
  archives:
    description: The releases. Their archives are files of the controller.
    type: list
    elements: dict
    suboptions:
      archive: {description: The tar.gz., type: path, required: true}
      sha256: {description: The digest the archive must have., type: str, required: true}
      name: {description: Directory name of this release; it names the content., type: str, required: true}
      link: {description: Link in O(dest) that points to the release., type: str, required: true}
  keep:
    description: How many releases of each link to keep, for going back; those that a link points to always stay.
    type: int
    default: 3
  users:
    description: "With O(state=absent), the directory of the instances; releases stay while one is deployed there."
    type: path
author: [rmqops]
"""

EXAMPLES = r"""
- name: Unpack the release
  rocketmq_release:
    dest: /srv/rocketmq/releases
    archives:
      - archive: /tmp/rocketmq-4.5.2-0123456789abcdef.tar.gz
        sha256: "{{ digest }}"
        name: rocketmq-4.5.2-0123456789abcdef
        link: rocketmq-4.5.2
"""

RETURN = r"""
paths: {description: The unpacked releases., returned: state is present, type: list, elements: str}
pruned: {description: Releases that were removed., returned: state is present, type: list, elements: str}
"""

import base64  # noqa: E402
import contextlib  # noqa: E402
import errno  # noqa: E402
import fcntl  # noqa: E402
import hashlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
import shutil  # noqa: E402
import sys  # noqa: E402
import tarfile  # noqa: E402
import tempfile  # noqa: E402

# Ansible puts the arguments in here; rocketmq_tree says why it is done so.
ARGUMENTS = r"""<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>"""


NAME = r"[\w.+-]+-[0-9a-f]{16}"
"""How a release is named: by its content."""
CARRIED = ".carried-"
"""How the name of an archive begins that the action brought here; it is removed when it is unpacked."""


class Refused(Exception):
    """What is asked for cannot be done; the message says why and what to do."""


def sha256(path):
    """Return the digest of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def alone(dest):
    """Keep others out: what a killed run left working on the host, and whoever shares these releases."""
    directory = os.open(dest, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def unpack(archive, expected, target):
    """Unpack an archive beside its place and give it its name at once; leave nothing where that fails."""
    digest = sha256(archive)
    if digest != expected:
        raise Refused(f"{archive} arrived with SHA-256 {digest}, wanted {expected}; run the deploy again")
    dest = os.path.dirname(target)
    temporary = tempfile.mkdtemp(prefix=".new-", dir=dest)
    try:
        with tarfile.open(archive) as tar:
            # Older Pythons lack the filter; the archive is ours, and its digest was right.
            tar.extractall(temporary, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
        tops = os.listdir(temporary)
        if len(tops) != 1:
            raise Refused(f"{archive} does not hold one directory but {len(tops)}")
        os.utime(os.path.join(temporary, tops[0]))  # its age here is what pruning goes by
        os.rename(os.path.join(temporary, tops[0]), target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def point(link, name):
    """Turn a link to a release, at once."""
    if os.path.islink(link) and os.readlink(link) == name:
        return False
    if os.path.isdir(link) and not os.path.islink(link):
        raise Refused(f"{link} was unpacked by hand; move it away, and run the deploy again")
    temporary = f"{link}.{os.getpid()}"
    os.symlink(name, temporary)
    os.replace(temporary, link)
    return True


def sweep(dest, kept):
    """Remove what interrupted runs left; before anything is unpacked, because they may have filled the disk."""
    for entry in os.scandir(dest):
        if entry.name.startswith(".new-"):
            shutil.rmtree(entry.path, ignore_errors=True)
        elif entry.name.startswith(CARRIED) and entry.path not in kept:
            os.unlink(entry.path)


def prune(dest, link, keep):
    """Remove of the releases of a link all but the newest and those in use."""
    entries = [entry for entry in os.scandir(dest) if not entry.is_symlink()]
    used = {os.readlink(entry.path) for entry in os.scandir(dest) if entry.is_symlink()}
    ours = [entry for entry in entries if re.fullmatch(re.escape(link) + r"-(?:[\w.]+-)?[0-9a-f]{16}", entry.name)]
    ours.sort(key=lambda entry: entry.stat().st_mtime, reverse=True)
    old = [entry for entry in ours[keep:] if entry.name not in used]
    for entry in old:
        shutil.rmtree(entry.path, ignore_errors=True)
    return [entry.name for entry in old]


def present(options, _check, _diff):
    """Unpack the releases that are not there, and turn the links to them; the action answers in check mode."""
    dest = options["dest"]
    changed, paths, pruned = False, [], []
    os.makedirs(dest, exist_ok=True)
    if os.stat(dest).st_uid == os.geteuid():
        os.chmod(dest, 0o755)  # an earlier run may have made it under a umask that lets nobody pass
    with alone(dest):
        sweep(dest, [item["archive"] for item in options["archives"]])
        for item in options["archives"]:
            target, link = os.path.join(dest, item["name"]), os.path.join(dest, item["link"])
            missing = not os.path.isdir(target)
            if missing:
                unpack(item["archive"], item["sha256"], target)
            turned = point(link, item["name"])
            pruned += prune(dest, item["link"], options["keep"])
            changed = changed or missing or turned
            paths.append(target)
        sweep(dest, [])
    return {"changed": changed, "paths": paths, "pruned": pruned}


def ours(entry):
    """Tell whether an entry is a release of ours, a link to one, or what an interrupted run left."""
    name = os.readlink(entry.path) if entry.is_symlink() else entry.name
    return bool(re.fullmatch(NAME, name)) or name.startswith((".new-", CARRIED))


def absent(options, check, _diff):
    """Remove every release, unless somebody uses them; a directory of releases may hold those of others."""
    dest, users = options["dest"], options["users"]
    instances = os.listdir(users) if os.path.isdir(users) else []
    used = any(os.path.lexists(os.path.join(users, name, "current")) for name in instances)
    changed = os.path.isdir(dest) and not used
    if changed and not check:
        for entry in filter(ours, list(os.scandir(dest))):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)
        if not os.listdir(dest) and not os.path.ismount(dest):
            os.rmdir(dest)
    if not used and not check:
        for directory in (users, os.path.dirname(dest)):
            if os.path.isdir(directory) and not os.listdir(directory) and not os.path.ismount(directory):
                os.rmdir(directory)
    return {"changed": bool(changed)}


def explained(error, dest):
    """Say where it happened, and what to do about a full disk."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{dest}: {error.strerror}; make room there and run the deploy again"
    return f"{error.filename or dest}: {error.strerror or error}"


def main():
    """Run the module."""
    os.umask(0o022)
    try:
        given = json.loads(ARGUMENTS)
        options = json.loads(base64.b64decode(given["packed"]))
        check, diff = given.get("_ansible_check_mode", False), given.get("_ansible_diff", False)
        result = (present if options["state"] == "present" else absent)(options, check, diff)
    except Refused as error:
        result = {"failed": True, "msg": str(error)}
    except OSError as error:
        result = {"failed": True, "msg": explained(error, options["dest"])}
    except tarfile.TarError as error:
        result = {"failed": True, "msg": str(error)}
    print(json.dumps(result))
    sys.exit(1 if result.get("failed") else 0)


if __name__ == "__main__":
    main()
