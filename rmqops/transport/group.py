"""The hosts of an inventory as a group of fabric connections, for an operator's own scripts."""

from __future__ import annotations

from collections.abc import Iterable

import fabric

from rmqops.errors import InventoryError
from rmqops.model.secret import Secret
from rmqops.model.topology import Instance
from rmqops.system import parallel
from rmqops.transport import connection, destination, variables
from rmqops.transport.connection import Connection
from rmqops.transport.destination import Destination


class HostGroup(fabric.ThreadingGroup):  # type: ignore[misc] # fabric has no types
    """One connection a machine, used by a thread each; closing it closes the hosts on the way as well."""

    def __init__(self, targets: Iterable[Destination] = (), passphrase: Secret | None = None) -> None:
        super().__init__()
        self._gateways: dict[Destination, Connection] = {}
        self.extend(connection.through(target, self._gateways, passphrase) for target in targets)

    def close(self) -> None:
        """Close every connection; what is used again is opened again."""
        super().close()
        for gateway in reversed(self._gateways.values()):
            gateway.close()


def of(instances: Iterable[Instance], passphrase: Secret | None = None) -> HostGroup:
    """Return the group of the machines that some instances are on; nothing is connected yet.

    Raises:
        InventoryError: an instance is on this machine, where there is nothing to connect to, or the inventory has
            an ssh argument that rmqops does not honour.
        ToolMissing: there is no ssh on this machine.
        PreflightFailed: ssh cannot make sense of its configuration.
    """
    machines = {instance.machine: instance for instance in instances}
    local = [instance for instance in machines.values() if instance.connection == "local"]
    if local:
        what = "is on this machine, and fabric connects by ssh"
        remedy = "Give ansible_host and take ansible_connection out, or run the commands here without it"
        raise InventoryError(
            [variables.problem(instance, "ansible_connection", "local", what, remedy) for instance in local]
        )
    return HostGroup(parallel.mapped(destination.of, machines.values()), passphrase)
