#!/usr/bin/python
# Apache License 2.0 (see LICENSE)
"""Unpack a release or runtime on a host, once, under a name of its content, or sweep them all away."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rocketmq_release
short_description: Unpacks a release archive on a host, once, and points a link to it
options:
  dest: {description: Directory that holds the releases., type: path, required: true}
  state: {type: str, choices: [present, absent], default: present, description: What is wanted.}
  archive: {description: The tar.gz on the host., type: path}
  sha256: {description: The digest the archive must have., type: str}
  name: {description: Directory name of this release; it names the content., type: str}
  link: {description: Link in O(dest) that points to the release., type: str}
  users:
    description: "With O(state=absent), the directory of the instances; releases stay while one is deployed there."
    type: path
author: [rmqops]
"""

EXAMPLES = r"""
- name: Unpack the release
  rocketmq_release:
    archive: /tmp/rocketmq-4.5.2-0123456789abcdef.tar.gz
    sha256: "{{ digest }}"
    dest: /srv/rocketmq/releases
    name: rocketmq-4.5.2-0123456789abcdef
    link: rocketmq-4.5.2
"""

RETURN = r"""
path: {description: The unpacked release., returned: always, type: str}
"""

import hashlib  # noqa: E402
import os  # noqa: E402
import shutil  # noqa: E402
import tarfile  # noqa: E402
import tempfile  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402


def sha256(path):
    """Return the digest of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def unpack(module, target):
    """Unpack the archive beside its place and give it its name at once."""
    archive, wanted = module.params["archive"], module.params["sha256"]
    found = sha256(archive)
    if found != wanted:
        module.fail_json(msg=f"{archive} arrived with SHA-256 {found}, wanted {wanted}; run the deploy again")
    dest = module.params["dest"]
    os.makedirs(dest, exist_ok=True)
    for entry in os.scandir(dest):
        if entry.name.startswith(".new-"):
            shutil.rmtree(entry.path, ignore_errors=True)
    temporary = tempfile.mkdtemp(prefix=".new-", dir=dest)
    with tarfile.open(archive) as tar:
        # Older Pythons lack the filter; the archive is ours, and its digest was right.
        tar.extractall(temporary, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    tops = os.listdir(temporary)
    if len(tops) != 1:
        module.fail_json(msg=f"{archive} does not hold one directory but {len(tops)}")
    os.rename(os.path.join(temporary, tops[0]), target)
    os.rmdir(temporary)


def present(module):
    """Unpack the release if it is not there, and turn the link to it."""
    dest, name = module.params["dest"], module.params["name"]
    target, link = os.path.join(dest, name), os.path.join(dest, module.params["link"])
    missing = not os.path.isdir(target)
    turn = not os.path.islink(link) or os.readlink(link) != name
    if not module.check_mode:
        if missing:
            unpack(module, target)
        if turn:
            if os.path.isdir(link) and not os.path.islink(link):
                module.fail_json(msg=f"{link} was unpacked by hand; move it away, and run the deploy again")
            temporary = f"{link}.{os.getpid()}"
            os.symlink(name, temporary)
            os.replace(temporary, link)
    return {"changed": missing or turn, "path": target}


def absent(module):
    """Remove every release, unless somebody uses them."""
    dest, users = module.params["dest"], module.params["users"]
    instances = os.listdir(users) if os.path.isdir(users) else []
    used = any(os.path.lexists(os.path.join(users, name, "current")) for name in instances)
    changed = os.path.isdir(dest) and not used
    if changed and not module.check_mode:
        shutil.rmtree(dest)
        for directory in (users, os.path.dirname(dest)):
            if os.path.isdir(directory) and not os.listdir(directory):
                os.rmdir(directory)
    return {"changed": bool(changed), "path": dest}


def main():
    """Run the module."""
    wanted = ["archive", "sha256", "name", "link"]
    module = AnsibleModule(
        argument_spec={
            "dest": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "archive": {"type": "path"},
            "sha256": {"type": "str"},
            "name": {"type": "str"},
            "link": {"type": "str"},
            "users": {"type": "path"},
        },
        required_if=[("state", "present", wanted), ("state", "absent", ["users"])],
        supports_check_mode=True,
    )
    try:
        result = present(module) if module.params["state"] == "present" else absent(module)
    except (OSError, tarfile.TarError) as error:
        module.fail_json(msg=f"{module.params['dest']}: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
