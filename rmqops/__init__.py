"""rmqops: builds, deploys, runs and chaos-tests Apache RocketMQ 4.4 and 4.5 clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rmqops.transport.group import HostGroup

__version__ = "0.1.0"


def connect(inventory: str | Sequence[str], *, passphrase: str | None = None) -> HostGroup:
    """Return the hosts of an inventory as a ``fabric.ThreadingGroup``, reached and verified as rmqops does it.

    One connection a machine, opened when it is first used. Its ``run``, ``sudo``, ``put`` and ``get`` are
    fabric's, as the login user; what fails on some hosts is fabric's ``GroupException``, with an error of
    :mod:`rmqops.errors` for each host that was not reached.

    Args:
        inventory: A name or a path, as for ``-i``; several are one inventory.
        passphrase: Opens keys that have one and that no agent holds.

    Raises:
        InventoryError: the inventory breaks a rule, or has an instance on this machine.
        PreflightFailed: ssh cannot make sense of its configuration, or is not there.
    """
    from rmqops.model.secret import Secret
    from rmqops.operations import inventories
    from rmqops.transport import group

    topology = inventories.load(inventory).topology
    return group.of(topology.instances, None if passphrase is None else Secret(passphrase))
