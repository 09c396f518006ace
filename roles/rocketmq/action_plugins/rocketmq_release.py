# Apache License 2.0 (see LICENSE)
"""Carry releases to a host once: one look; a transfer, and the module of this name, only for what is missing."""

from __future__ import annotations

import base64
import json
import os
import shlex

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

ARCHIVE = {key: {"type": "str", "required": True} for key in ("archive", "sha256", "name", "link")}
SPEC = {
    "dest": {"type": "path", "required": True},
    "state": {"choices": ["present", "absent"], "default": "present"},
    "archives": {"type": "list", "elements": "dict", "options": ARCHIVE, "default": []},
    "keep": {"type": "int", "default": 3},
    "users": {"type": "path"},
}


class ActionModule(ActionBase):
    """Looks, transfers and hands over to ``library/rocketmq_release.py``, where the options are documented."""

    TRANSFERS_FILES = True

    def run(self, tmp=None, task_vars=None):
        """Run the action."""
        result = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(SPEC)
        if arguments["state"] == "present":
            missing = self._missing(arguments["dest"], arguments["archives"])
            if not missing:
                return result | {"changed": False}
            if self._task.check_mode:
                return result | {"changed": True}
            if self._connection.transport != "local":
                missing = [{**archive, "archive": self._carry(archive["archive"])} for archive in missing]
            arguments["archives"] = missing
        packed = base64.b64encode(json.dumps(arguments).encode()).decode()
        return result | self._execute_module(module_args={"packed": packed}, task_vars=task_vars)

    def _missing(self, dest, archives):
        """Return the archives that are not unpacked, or not linked to; they are named by their content."""
        looks = []
        for archive in archives:
            target, link = (shlex.quote(f"{dest}/{archive[key]}") for key in ("name", "link"))
            looks.append(
                f'[ -d {target} ] && [ "$(readlink {link})" = {shlex.quote(archive["name"])} ] && echo yes'
                " || echo no"
            )
        answer = self._low_level_execute_command("; ".join(looks))
        found = answer["stdout"].split()
        if len(found) != len(archives):
            raise AnsibleActionFail(f"cannot look into {dest}: {answer['stderr'] or answer['stdout']}")
        return [archive for archive, there in zip(archives, found, strict=True) if there != "yes"]

    def _carry(self, archive):
        """Transfer an archive into the task's temporary directory, which Ansible removes."""
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        remote = self._connection._shell.join_path(self._connection._shell.tmpdir, os.path.basename(archive))
        self._transfer_file(archive, remote)
        return remote
