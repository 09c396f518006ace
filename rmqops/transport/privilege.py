"""Whom commands run as on a host, as Ansible's own variables say, and the password for that."""

from __future__ import annotations

from rmqops.errors import InventoryError, Problem
from rmqops.model.ansible import truthy
from rmqops.model.secret import Secret
from rmqops.model.topology import Reachable
from rmqops.transport import variables
from rmqops.transport.wrapping import Become

PASSWORDS = ("ansible_become_password", "ansible_become_pass", "ansible_sudo_pass")

_asked: list[Secret] = []


def remember(password: Secret) -> None:
    """Use this password for sudo wherever the inventory has none, for the rest of this process."""
    _asked[:] = [password]


def remembered() -> Secret | None:
    """Return the password that was asked for in this process."""
    return _asked[0] if _asked else None


def of(instance: Reachable) -> Become | None:
    """Return whom to become on an instance's host; None to stay the login user.

    Raises:
        InventoryError: it says so in a way that rmqops does not know.
    """
    if not truthy(variables.text(instance, "ansible_become")):
        return None
    method = variables.text(instance, "ansible_become_method") or "sudo"
    if method not in {"sudo", "ansible.builtin.sudo"}:
        raise InventoryError(
            [variables.problem(instance, "ansible_become_method", method, "is not known to rmqops", "Use sudo")]
        )
    for key in ("ansible_become_exe", "ansible_become_flags"):
        if value := variables.text(instance, key):
            what = "is not known to rmqops"
            raise InventoryError([variables.problem(instance, key, value, what, "Take it out")])
    return Become(variables.text(instance, "ansible_become_user") or "root", _password(instance))


def _password(instance: Reachable) -> Secret | None:
    for key in PASSWORDS:
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
