"""What the commands share that put one question to a cluster's NameServers and brokers, and show the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from rmqops.cli import output

if TYPE_CHECKING:
    from rmqops.model.topology import Topology
    from rmqops.remoting.client import Client


class Document(Protocol):
    """An answer."""

    def json(self) -> dict[str, object]:
        """Return the object that the command prints with ``--json``."""


D = TypeVar("D", bound=Document)


def answer(
    inventory: str,
    ask: Callable[[Topology, Client], Awaitable[D]],
    show: Callable[[Topology, D], None],
    *,
    json: bool,
) -> None:
    """Ask the cluster of an inventory, and print the answer as JSON or as ``show`` does.

    Raises:
        InventoryError: the inventory is wrong.
        OperationFailed: nobody answers.
    """
    from rmqops.operations import inventories
    from rmqops.remoting.client import Client
    from rmqops.system import event_loop

    topology = inventories.load(inventory).topology

    async def over_a_client() -> D:
        async with Client() as client:
            return await ask(topology, client)

    document = event_loop.run(over_a_client())
    if json:
        output.result_json(document.json())
    else:
        show(topology, document)
