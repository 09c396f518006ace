"""The names that Ansible takes for one setting of a connection, and which of them decides. PURE."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Final

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "ansible_host": ("ansible_host", "ansible_ssh_host"),
    "ansible_port": ("ansible_port", "ansible_ssh_port"),
    "ansible_user": ("ansible_user", "ansible_ssh_user"),
}
"""As the ssh plug-in of ansible-core 2.19 lists them; of those that are set the last one decides
(``ConfigManager._loop_entries``)."""


def deciding(setting: str, variables: Container[str]) -> str:
    """Return the name that decides a setting, among the variables of a host; its first name where none is set."""
    names = NAMES[setting]
    return next((name for name in reversed(names) if name in variables), names[0])
