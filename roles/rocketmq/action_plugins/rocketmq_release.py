# Apache License 2.0 (see LICENSE)
"""Carry releases to a host once: one look; a transfer, and the module of this name, only for what is missing."""

from __future__ import annotations

import base64
import json
import os
import shlex

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

LOOKS = {"absent", "used", "unused"}
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
            missing, absent = self._look(arguments["dest"], arguments["archives"])
            if not missing:
                return result | {"changed": False}
            if self._task.check_mode:
                return result | {"changed": True}
            if self._connection.transport != "local":
                missing = [
                    self._carry(archive, arguments["dest"]) if archive in absent else archive
                    for archive in missing
                ]
            arguments["archives"] = missing
        packed = base64.b64encode(json.dumps(arguments).encode()).decode()
        return result | self._execute_module(module_args={"packed": packed}, task_vars=task_vars)

    def _look(self, dest, archives):
        """Return the archives that are not in use, and those of them that are not unpacked."""
        looks = []
        for archive in archives:
            target, link = (shlex.quote(f"{dest}/{archive[key]}") for key in ("name", "link"))
            name = shlex.quote(archive["name"])
            looks.append(
                f'if [ ! -d {target} ]; then echo absent; elif [ "$(readlink {link})" = {name} ];'
                " then echo used; else echo unused; fi"
            )
        answer = self._low_level_execute_command("; ".join(looks))
        # On a terminal sudo's warnings come with the rest, such as that a host cannot resolve its own name.
        words = [line for line in answer["stdout_lines"] if line in LOOKS]
        if len(words) != len(archives):
            raise AnsibleActionFail(f"cannot look into {dest}: {answer['stdout']}{answer['stderr']}")
        pairs = list(zip(archives, words, strict=True))
        return (
            [archive for archive, there in pairs if there != "used"],
            [archive for archive, there in pairs if there == "absent"],
        )

    def _carry(self, archive, dest):
        """Bring an archive to the host by the input of one command, to where the module takes it away again.

        Ansible's own transfer takes five commands more: a directory, sftp, modes, and the directory's removal. It
        is for connections that give commands no input, which are paramiko's.
        """
        if not self._connection.has_pipelining:
            return {**archive, "archive": self._transfer(archive["archive"])}
        place = f"{dest}/.carried-{archive['name']}.tar.gz"
        with open(archive["archive"], "rb") as stream:
            content = stream.read()
        target = shlex.quote(place)
        command = (
            f"umask 022 && mkdir -p {shlex.quote(dest)} && umask 077 && "
            f"{{ cat > {target} || {{ rm -f {target}; false; }}; }}"
        )
        answer = self._low_level_execute_command(command, in_data=content)
        if answer["rc"] != 0:
            reason = (answer["stderr"] or answer["stdout"]).strip()
            full = "No space left on device"
            raise AnsibleActionFail(
                f"{dest}: {full}; make room there and run the deploy again"
                if full in reason
                else f"{archive['archive']} did not arrive: {reason}; mend that, and run the deploy again"
            )
        return {**archive, "archive": place}

    def _transfer(self, archive):
        """Transfer an archive into the task's temporary directory, which Ansible removes."""
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        remote = self._connection._shell.join_path(self._connection._shell.tmpdir, os.path.basename(archive))
        self._transfer_file(archive, remote)
        return remote
