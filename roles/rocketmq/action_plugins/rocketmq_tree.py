# Apache License 2.0 (see LICENSE)
"""Hand an instance's files to the module of the same name, packed into one word."""

from __future__ import annotations

import base64
import json

from ansible.plugins.action import ActionBase

SPEC = {
    "path": {"type": "path", "required": True},
    "files": {"type": "dict", "required": True},
    "keep": {"type": "int", "default": 3},
}


class ActionModule(ActionBase):
    """Checks and packs the options, which are documented in ``library/rocketmq_tree.py``."""

    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        """Run the action."""
        result = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(SPEC)
        packed = base64.b64encode(json.dumps(arguments).encode()).decode()
        return result | self._execute_module(module_args={"packed": packed}, task_vars=task_vars)
