# Apache License 2.0 (see LICENSE)
"""Hand the options to the module of the same name, with the code that it shares, packed into one word."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from ansible.plugins.action import ActionBase

SPEC = {
    **{key: {"type": "path", "required": True} for key in ("path", "base", "data", "logs")},
    "owner_mark": {"type": "str", "required": True},
    "user": {"type": "str", "default": ""},
}


class ActionModule(ActionBase):
    """Checks and packs the options, which are documented in ``library/rocketmq_directories.py``."""

    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        """Run the action."""
        result = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(SPEC)
        arguments["look"] = Path(__file__).parents[1].joinpath("files", "directories.py").read_text("utf-8")
        packed = base64.b64encode(json.dumps(arguments).encode()).decode()
        return result | self._execute_module(module_args={"packed": packed}, task_vars=task_vars)
