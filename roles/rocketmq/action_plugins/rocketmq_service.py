# Apache License 2.0 (see LICENSE)
"""Start, stop or restart an instance by the scripts of its own tree, without a Python on the host."""

from __future__ import annotations

import shlex

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

OLDER = "older configuration"
"""What start.sh says of a process that was started from another tree."""


class ActionModule(ActionBase):
    """Runs ``bin/start.sh`` and ``bin/stop.sh``; documented in ``library/rocketmq_service.py``."""

    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        """Run the action."""
        result = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            {
                "path": {"type": "path", "required": True},
                "state": {"choices": ["started", "restarted", "stopped", "absent"], "required": True},
                "restart": {"type": "bool", "default": True},
                "stale": {"type": "bool", "default": False},
            }
        )
        self._scripts = f"{arguments['path']}/current/bin"
        return result | (
            self._predict(arguments)
            if self._task.check_mode
            else getattr(self, f"_{arguments['state']}")(arguments)
        )

    def _started(self, arguments):
        output = self._script("start.sh")
        if arguments["restart"] and OLDER in output:
            return self._restarted(arguments)
        return {"changed": "started" in output, "stdout": output}

    def _restarted(self, _arguments):
        self._script("stop.sh")
        return {"changed": True, "stdout": self._script("start.sh")}

    def _stopped(self, _arguments):
        output = self._script("stop.sh", missing_ok=True)
        return {"changed": "stopped" in output, "stdout": output}

    def _absent(self, _arguments):
        output = self._script("stop.sh", "--disable", missing_ok=True)
        return {"changed": "stopped" in output, "stdout": output}

    def _predict(self, arguments):
        running = self._run(f"{shlex.quote(self._scripts)}/pid.sh")["rc"] == 0
        if arguments["state"] == "started":
            return {"changed": not running or (arguments["restart"] and arguments["stale"])}
        return {"changed": running or arguments["state"] == "restarted"}

    def _script(self, name, *options, missing_ok=False):
        script = shlex.quote(f"{self._scripts}/{name}")
        guard = f"[ ! -e {script} ] || " if missing_ok else ""
        done = self._run(f"{guard}{' '.join([script, *options])}")
        if done["rc"] != 0:
            raise AnsibleActionFail(self._complaint(done) or f"{script} ended with {done['rc']}")
        return done["stdout"].strip()

    def _complaint(self, done):
        """Return why a script failed: over ssh there is a terminal, which puts everything into standard output."""
        lines = [line for line in done["stderr"].splitlines() if not line.startswith("Shared connection to ")]
        return "\n".join(lines).strip() or done["stdout"].replace("\r", "").strip()

    def _run(self, command):
        return self._low_level_execute_command(command)
