"""What the commands share that put one question to a cluster's NameServers and brokers, and show the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from rmqops.cli import host_access, output

if TYPE_CHECKING:
    from rmqops.model.topology import Topology
    from rmqops.remoting.client import Client


class Document(Protocol):
    """An answer."""

    def json(self) -> dict[str, object]:
        """Return the object that the command prints with ``--json``."""


D = TypeVar("D", bound=Document)


def answer(
    inventory: Sequence[str],
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

    topology = inventories.load(inventory).topology
    print_answer(topology, ask, show, json=json)


def print_answer(
    topology: Topology,
    ask: Callable[[Topology, Client], Awaitable[D]],
    show: Callable[[Topology, D], None],
    *,
    json: bool,
) -> None:
    """Ask a cluster whose inventory is loaded; otherwise as :func:`answer`."""
    from rmqops.remoting.client import Client
    from rmqops.system import event_loop

    async def over_a_client() -> D:
        async with Client() as client:
            return await ask(topology, client)

    document = event_loop.run(over_a_client())
    if json:
        output.result_json(document.json())
    else:
        show(topology, document)


@contextmanager
def locked(topology: Topology, purpose: str, *, accept_new: bool, ask_become_pass: bool) -> Iterator[None]:
    """Hold the cluster's lock, for a change that brokers and NameServers carry out themselves.

    Raises:
        Unsafe: somebody works on the cluster.
        OperationFailed: no machine of a NameServer can be logged in to, or it has no place for the lock.
    """
    from rmqops.operations.change import lock

    host_access.prepare(topology, accept_new=accept_new, ask_become_pass=ask_become_pass)
    with lock.held(topology, purpose):
        yield
