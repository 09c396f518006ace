"""Ansible's variables of an instance's connection, read one at a time and complained of by name."""

from __future__ import annotations

from rmqops.errors import InventoryError, Problem
from rmqops.model.topology import Reachable
from rmqops.model.variables import Unresolvable


def given(instance: Reachable, *keys: str) -> tuple[str, str] | None:
    """Return the last of some variables that is set, as its name and its text; None when none is.

    So it is Ansible's own precedence among several names of one option; one that is empty is set, and null is not.

    Raises:
        InventoryError: it cannot be resolved, such as one that is vaulted.
    """
    for key in reversed(keys):
        if key not in instance.variables:
            continue
        try:
            value = instance.variables[key]
        except Unresolvable as error:
            remedy = "Write the value itself, or let the environment hand it in: lookup('env', NAME)"
            raise InventoryError([problem(instance, key, "", str(error), remedy)]) from error
        if value is not None:
            return key, str(value)
    return None


def text(instance: Reachable, *keys: str) -> str:
    """Return the last of some variables that is set, as text; empty when none is.

    Raises:
        InventoryError: it cannot be resolved, such as one that is vaulted.
    """
    found = given(instance, *keys)
    return found[1] if found else ""


def problem(instance: Reachable, key: str, found: str, message: str, remedy: str) -> Problem:
    """Return a problem of a connection's variable."""
    return Problem("the inventory", instance.name, key, found, message, remedy)
