"""Whom commands run as on a host, as Ansible's own variables and settings say, and the password for that.

Names and their order are those of ansible-core 2.19, ``plugins/become/sudo.py``: of several the last one that is
set wins, and any variable stands above ``ansible.cfg`` and the environment.
"""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

from rmqops.errors import InventoryError, PreflightFailed, Problem
from rmqops.model.ansible import truthy
from rmqops.model.secret import Secret
from rmqops.model.topology import Reachable
from rmqops.transport import ansible_settings, variables
from rmqops.transport.wrapping import Become

PASSWORDS: Final = ("ansible_become_password", "ansible_become_pass", "ansible_sudo_pass")
_USERS: Final = ("ansible_become_user", "ansible_sudo_user")
_SUDO: Final = ("sudo", "ansible.builtin.sudo")
_NOT_KNOWN: Final = (
    "ansible_become_exe", "ansible_sudo_exe", "ansible_become_flags", "ansible_sudo_flags", "ansible_sudo_chdir",
)  # fmt: skip
_PATIENCE: Final = 60.0
"""Seconds for a program that prints the password, which may ask a person."""

_asked: list[Secret] = []


def remember(password: Secret) -> None:
    """Use this password for sudo wherever the inventory has none, for the rest of this process."""
    _asked[:] = [password]


def remembered() -> Secret | None:
    """Return the password for sudo where the inventory has none; None when nobody has said one.

    It is what was asked for in this process, else what ``ansible.cfg`` or the environment say.

    Raises:
        InventoryError: Ansible cannot read its settings.
        PreflightFailed: the file that they name cannot be read.
    """
    if _asked:
        return _asked[0]
    settings = ansible_settings.asked()
    if file := settings.get("BECOME_PASSWORD_FILE"):
        return _password_of(str(file.value), file.origin)
    password = settings.get("become/sudo/become_pass")
    return Secret(str(password.value)) if password else None


def becomes(instance: Reachable) -> bool:
    """Tell whether commands on an instance's host run as another user than the one that logs in.

    Raises:
        InventoryError: a variable cannot be resolved, or Ansible cannot read its settings.
    """
    found = variables.given(instance, "ansible_become")
    if found:
        return truthy(found[1])
    setting = ansible_settings.asked().get("DEFAULT_BECOME")
    return setting is not None and bool(setting.value)


def of(instance: Reachable) -> Become | None:
    """Return whom to become on an instance's host; None to stay the login user.

    Raises:
        InventoryError: it says so in a way that rmqops does not know.
    """
    if not becomes(instance):
        return None
    method = variables.text(instance, "ansible_become_method") or "sudo"
    if method not in _SUDO:
        raise InventoryError(
            [variables.problem(instance, "ansible_become_method", method, "is not known to rmqops", "Use sudo")]
        )
    for key in _NOT_KNOWN:
        if value := variables.text(instance, key):
            what = "is not known to rmqops"
            raise InventoryError([variables.problem(instance, key, value, what, "Take it out")])
    return Become(_user(instance), _password(instance))


def _user(instance: Reachable) -> str:
    found = variables.given(instance, *_USERS)
    if found is None:
        setting = ansible_settings.asked().get("become/sudo/become_user")
        return str(setting.value) if setting else "root"
    return found[1] or "root"


def _password(instance: Reachable) -> Secret | None:
    for key in reversed(PASSWORDS):
        try:
            password = variables.text(instance, key)
        except InventoryError as error:
            if remembered() is None:
                remedy = "Give --ask-become-pass (-K) for what rmqops itself does on the hosts"
                raise InventoryError(
                    [
                        Problem(item.file, item.host, item.key, item.found, item.message, remedy)
                        for item in error.problems
                    ]
                ) from error
            continue
        if password:
            return Secret(password)
    return remembered()


@cache
def _password_of(file: str, origin: str) -> Secret:
    """Read a password's file as Ansible does: a program is run, and prints it."""
    program = os.access(file, os.X_OK)
    try:
        if program:
            done = subprocess.run(
                [file], stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=True
            )
            text = done.stdout.decode().strip("\r\n")
        else:
            text = Path(file).read_text("utf-8").strip()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        how = "run" if program else "read"
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise PreflightFailed(
            f"{origin}: become_password_file {file} cannot be {how}: {reason}", remedy="correct it, or give -K"
        ) from error
    if not text:
        raise PreflightFailed(f"{origin}: become_password_file {file} is empty", remedy="correct it, or give -K")
    return Secret(text)
