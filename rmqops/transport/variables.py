"""Ansible's variables of an instance's connection, read one at a time and complained of by name."""

from __future__ import annotations

from rmqops.errors import InventoryError, Problem
from rmqops.model.topology import Reachable
from rmqops.model.variables import Unresolvable


def text(instance: Reachable, *keys: str) -> str:
    """Return the last of some variables that is set, as text; empty when none is.

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
        if value is not None and value != "":
            return str(value)
    return ""


def problem(instance: Reachable, key: str, found: str, message: str, remedy: str) -> Problem:
    """Return a problem of a connection's variable."""
    return Problem("the inventory", instance.name, key, found, message, remedy)
