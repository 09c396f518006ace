# Apache License 2.0 (see LICENSE)
"""Make the user that the units run as, by ``useradd``, where there is none: one command and no Python there."""

from __future__ import annotations

import shlex

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

SPEC = {"name": {"type": "str", "required": True}, "home": {"type": "path", "required": True}}


class ActionModule(ActionBase):
    """Looks and makes at once; documented in ``library/rocketmq_user.py``."""

    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        """Run the action."""
        result = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(SPEC)
        name, home = (shlex.quote(arguments[key]) for key in ("name", "home"))
        make = f"useradd --system --home-dir {home} --no-create-home --shell /usr/sbin/nologin {name}"
        if self._task.check_mode:
            make = "true"
        done = self._low_level_execute_command(f"id -u {name} > /dev/null 2>&1 || {{ {make} && echo made; }}")
        if done["rc"] != 0:
            raise AnsibleActionFail(
                f"user {name} cannot be made: {(done['stderr'] or done['stdout']).strip()}; "
                "make it by hand, and set rocketmq_manage_user to false"
            )
        return result | {"changed": "made" in done["stdout"].split()}
