#!/usr/bin/python
# Apache License 2.0 (see LICENSE)
"""Make the directories of an instance, and mark them; never take somebody else's."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rocketmq_directories
short_description: Makes and marks the directories of an instance
description:
  - A directory that it made, or found empty, gets a file C(.rmqops) that says whose it is. One that is neither
    marked nor empty is refused before anything is touched.
  - Those of an instance that an earlier rmqops deployed bear no mark yet. They are known by the instance's own
    C(current/bin/run.sh), which names them.
  - Root follows a link on the way to a directory only if root made it.
options:
  path: {description: The instance's directory., type: path, required: true}
  base: {description: The directory that holds all instances and releases., type: path, required: true}
  owner_mark: {description: "Text of the mark, C(CLUSTER/INSTANCE).", type: str, required: true}
  data: {description: The data directory., type: path, required: true}
  logs: {description: The log directory., type: path, required: true}
  user: {description: "Whose data and logs are; empty for whoever runs this.", type: str, default: ""}
author: [rmqops]
"""

EXAMPLES = r"""
- name: Make the directories of a broker
  rocketmq_directories:
    path: /srv/rocketmq/instances/broker-a-0
    base: /srv/rocketmq
    owner_mark: "cluster-a/broker-a-0"
    data: /data/rocketmq
    logs: /var/log/rocketmq/broker-a-0
    user: rocketmq
"""

RETURN = r"""
directories: {description: What was made or mended., returned: always, type: list, elements: str}
"""

import base64  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import pwd  # noqa: E402
import stat  # noqa: E402
import types  # noqa: E402

# Ansible puts the arguments in here; rocketmq_tree says why it is done so.
ARGUMENTS = r"""<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>"""

GIVEN = json.loads(ARGUMENTS)
OPTIONS = json.loads(base64.b64decode(GIVEN["packed"]))
CHECK = GIVEN.get("_ansible_check_mode", False)
look = types.ModuleType("look")
exec(compile(OPTIONS["look"], "directories.py", "exec"), look.__dict__)  # files/directories.py

BY_HAND = {"data", "store", "logs", "run", "current"}
"""What an instance's directory may hold that was installed by hand."""


def check_home(home, mark, inside):
    """Refuse an instance's directory that belongs to something else."""
    with look.directory(home) as at:
        if at is None:
            return
        owner = look.mark_of(at)
        if owner is not None and owner != mark:
            raise look.Refused(f"{home} belongs to {owner}, not to {mark}; choose another rocketmq_instance_dir")
        foreign = [name for name in look.content(at) if name not in BY_HAND | inside]
        if owner is None and foreign:
            raise look.Refused(
                f"{home} exists, was not made by rmqops and holds {', '.join(foreign[:5])}; "
                "choose another rocketmq_instance_dir or remove it"
            )


def check_other(key, path, home, mark, users):
    """Refuse a data or log directory that somebody else uses."""
    with look.directory(path) as at:
        owner = None if at is None else look.mark_of(at)
        if at is None or owner == mark or look.named(home, path):
            return
        if owner is not None:
            raise look.Refused(f"{path} belongs to {owner}, not to {mark}; choose another {key}")
        if found := look.content(at):
            raise look.Refused(
                f"{path} was not made by rmqops and holds {', '.join(found[:5])}; choose another {key}, or empty "
                f"it; if it is of {mark} all the same, say so: echo {mark} > {path}/{look.MARK}"
            )
        holder = os.fstat(at).st_uid
        if os.geteuid() == 0 and holder not in users:
            raise look.Refused(f"{path} belongs to {look.user_name(holder)}; choose another {key}, or remove it")
        if key == "rocketmq_log_dir" and look.is_mount(at):
            raise look.Refused(f"{path} is where a file system is mounted; choose a directory below it for {key}")


def mend(at, path, user, mode, done):
    """Give a directory of ours its owner and mode; without root, what is another's stays as it is."""
    found = os.fstat(at)
    if os.geteuid() != 0 and found.st_uid != os.geteuid():
        return
    if user is not None and found.st_uid != user.pw_uid:
        os.fchown(at, user.pw_uid, user.pw_gid)
        done.append(path)
    if stat.S_IMODE(found.st_mode) != mode:
        os.fchmod(at, mode)
        done.append(path)


def put(path, mark, user, mode, done):
    """Make a directory where there is none, mark it, and give it its owner and mode."""
    with look.directory(path) as at:
        if at is None:
            done.append(path)
    with look.directory(path, make=True) as at:
        if look.mark_of(at) != mark:
            look.put_mark(at, mark)
            done.append(path)
        mend(at, path, user, mode, done)


def mend_shared(base, home, done):
    """Let the service pass through the directories that instances share, where they are rmqops' own."""
    ours = [f"{base}/releases"]
    if os.path.normpath(home).startswith(os.path.normpath(f"{base}/instances") + "/"):
        ours.append(f"{base}/instances")
    with look.directory(base) as at:
        if at is not None and not set(look.content(at)) - {"releases", "instances"}:
            ours.append(base)
    for path in ours:
        with look.directory(path) as at:
            if at is not None and os.fstat(at).st_uid == os.geteuid():
                mend(at, path, None, 0o755, done)


def inside(home, *paths):
    """Return the names by which directories begin that lie in an instance's own."""
    below = os.path.normpath(home) + "/"
    return {
        os.path.normpath(p)[len(below) :].split("/")[0] for p in paths if os.path.normpath(p).startswith(below)
    }


def present(options, check):
    """Look at all of them, and only then make, mark and mend them."""
    home, mark, data, logs = (options[key] for key in ("path", "owner_mark", "data", "logs"))
    user = None
    if options["user"] and os.geteuid() == 0:
        try:
            user = pwd.getpwnam(options["user"])
        except KeyError:
            if not check:
                raise look.Refused(
                    f"there is no user {options['user']}; make it, or set rocketmq_manage_user"
                ) from None
    check_home(home, mark, inside(home, data, logs))
    users = {0, os.geteuid()} | ({user.pw_uid} if user else set())
    for key, path in (("rocketmq_data_dir", data), ("rocketmq_log_dir", logs)):
        check_other(key, path, home, mark, users)
    done = []
    if check:
        for path in (home, data, logs):
            with look.directory(path) as at:
                done += [path] if at is None or look.mark_of(at) != mark else []
        return {"changed": bool(done), "directories": done}
    # The instance's own goes last: while it has no mark, an interrupted deploy is one that has not begun.
    for path in (data, logs):
        put(path, mark, user, 0o750, done)
    put(home, mark, None, 0o755, done)
    if user is not None:
        mend_shared(options["base"], home, done)
    return {"changed": bool(done), "directories": sorted(set(done))}


if __name__ == "__main__":
    look.perform(present, OPTIONS, CHECK)
