# Apache License 2.0 (see LICENSE)
"""Write what happens in a playbook as JSON lines, for ``rmqops`` to read; enabled by it alone."""

from __future__ import annotations

import gc
import json
import os
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: rmqops_events
type: aggregate
short_description: Writes events as JSON lines to the file that RMQOPS_EVENTS names
description: Started tasks and the result of each host, one JSON object a line.
requirements: [RMQOPS_EVENTS in the environment]
"""


def spare_the_processor():
    """Leave the processor to what the playbook starts: each worker collects garbage among what it inherits."""
    gc.freeze()


class CallbackModule(CallbackBase):
    """One line for each task that starts and each result of a host."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "rmqops_events"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        path = os.environ.get("RMQOPS_EVENTS")
        self.disabled = not path
        if path:
            self._stream = open(path, "a", encoding="utf-8", buffering=1)
            spare_the_processor()

    def _write(self, **event):
        self._stream.write(json.dumps({"time": time.time(), **event}) + "\n")

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._write(event="task", task=task.get_name().split(" : ")[-1])

    def _result(self, result, status):
        details = result._result
        # A module that did not even start has said why by module_stderr; its msg is that nothing could be read.
        said = (details.get(key) for key in ("stderr", "module_stderr", "msg", "stdout"))
        message = next(filter(None, said), "")
        self._write(
            event="host",
            host=result._host.get_name(),
            task=result._task.get_name().split(" : ")[-1],
            status=status,
            changed=bool(details.get("changed")),
            message=str(message).strip() if status != "ok" else str(details.get("stdout", "")),
        )

    def v2_runner_on_ok(self, result):
        self._result(result, "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._result(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_unreachable(self, result):
        self._result(result, "unreachable")
