#!/usr/bin/python
# Apache License 2.0 (see LICENSE)
"""The documentation of the action ``rocketmq_service``, whose code is in ``action_plugins``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rocketmq_service
short_description: Starts, stops or restarts an instance by the scripts of its own tree
description:
  - Runs C(current/bin/start.sh) or C(stop.sh) of an instance, which know what keeps the process.
  - In check mode it says whether the process would be touched.
options:
  path: {description: The instance's directory., type: path, required: true}
  state:
    description: What is wanted. V(absent) also takes the unit off the host.
    type: str
    choices: [started, restarted, stopped, absent]
    required: true
  restart:
    description: "With O(state=started), whether to restart a process that runs with an older configuration."
    type: bool
    default: true
  stale:
    description: In check mode, whether the files have changed, so that the process would be restarted.
    type: bool
    default: false
author: [rmqops]
"""

EXAMPLES = r"""
- name: Start a broker
  rocketmq_service: {path: /srv/rocketmq/instances/broker-a-0, state: started}
"""

RETURN = r"""
stdout: {description: What the script said., returned: outside check mode, type: str}
"""
