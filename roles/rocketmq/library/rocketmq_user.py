#!/usr/bin/python
# Apache License 2.0 (see LICENSE)
"""The documentation of the action ``rocketmq_user``, whose code is in ``action_plugins``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rocketmq_user
short_description: Makes a system user without a shell, where there is none of that name
description:
  - Does what M(ansible.builtin.user) would, by one command, which takes a tenth of its time. A user who is there
    stays as he is.
options:
  name: {description: The user's name., type: str, required: true}
  home: {description: "The home directory in the user's entry; it is not made.", type: path, required: true}
author: [rmqops]
"""

EXAMPLES = r"""
- name: Make the user of the units
  rocketmq_user: {name: rocketmq, home: /opt/rocketmq}
"""

RETURN = r"""{}"""
