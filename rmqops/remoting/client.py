"""Connections to any number of addresses: opened when first needed, shared, opened again after a loss.

The policy: a request goes over the address's one connection. If that is closed, the next request opens another,
once for all who wait; there is no retry and no back-off here, because only the caller knows what may be sent twice
and how long it wants to try. A connection unused for :data:`MAX_IDLE` seconds is opened afresh before use.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from rmqops.errors import BrokerError, ConnectFailed
from rmqops.remoting.codec import Frame
from rmqops.remoting.codes import ResponseCode, request_name
from rmqops.remoting.connection import NO_FIELDS, Connection

MAX_IDLE: Final = 90.0
"""Seconds. A NameServer or broker closes a channel that was idle for 120 s (``serverChannelMaxIdleTimeSeconds``);
a send that met such a close would be indeterminate for no reason."""


def was_cancelled() -> bool:
    """Return whether the running task itself was asked to end, not only something that it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Client:
    """The pool; use it as ``async with Client() as client``.

    Args:
        connect_timeout: seconds to open a connection.
        request_timeout: seconds for an answer, unless a request says otherwise.
    """

    def __init__(self, *, connect_timeout: float = 3.0, request_timeout: float = 3.0) -> None:
        self.connect_timeout = connect_timeout
        self.request_timeout = request_timeout
        self._connections: dict[str, Connection] = {}
        self._opening: dict[str, asyncio.Task[Connection]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def connection(self, address: str) -> Connection:
        """Return an open connection to ``host:port``.

        Raises:
            ConnectFailed: there is none to be had; nothing was sent.
        """
        if (ready := self.ready(address)) is not None:
            return ready
        if self._closed:
            raise ConnectFailed(f"the client is closed; nothing was sent to {address}")
        opening = self._opening.get(address)
        if opening is None:
            opening = asyncio.get_running_loop().create_task(self._open(address))
            self._opening[address] = opening
            opening.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            if opening.cancelled() and not was_cancelled():
                raise ConnectFailed(f"the client was closed; nothing was sent to {address}") from None
            raise

    def ready(self, address: str) -> Connection | None:
        """Return the address's connection if it can be used now, without waiting."""
        connection = self._connections.get(address)
        if connection is None or not connection.is_open:
            return None
        if not connection.is_busy and asyncio.get_running_loop().time() - connection.used > MAX_IDLE:
            del self._connections[address]
            self._retire(connection)
            return None
        return connection

    async def request(
        self,
        address: str,
        code: int,
        fields: Mapping[str, str] = NO_FIELDS,
        body: bytes = b"",
        *,
        timeout: float | None = None,
    ) -> Frame:
        """Send a request and return its answer, whatever its code.

        Raises:
            RemotingError: see :meth:`rmqops.remoting.connection.Connection.request`.
        """
        connection = await self.connection(address)
        return await connection.request(code, fields, body, timeout=timeout or self.request_timeout)

    async def call(
        self,
        address: str,
        code: int,
        fields: Mapping[str, str] = NO_FIELDS,
        body: bytes = b"",
        *,
        timeout: float | None = None,
    ) -> Frame:
        """Send a request and return its answer if that is a success.

        Raises:
            BrokerError: the answer's code is another.
            RemotingError: there was no answer.
        """
        answer = await self.request(address, code, fields, body, timeout=timeout)
        if answer.code != ResponseCode.SUCCESS:
            raise BrokerError(answer.code, answer.remark, address=address, request=request_name(code))
        return answer

    async def close(self) -> None:
        """Close every connection; no task, socket or timer is left."""
        self._closed = True
        opening = tuple(self._opening.values())
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        self._opening.clear()
        for connection in self._connections.values():
            self._retire(connection)
        self._connections.clear()
        await asyncio.gather(*self._closing)

    async def _open(self, address: str) -> Connection:
        try:
            connection = await Connection.open(address, timeout=self.connect_timeout)
            self._connections[address] = connection
        finally:
            self._opening.pop(address, None)
        return connection

    def _retire(self, connection: Connection) -> None:
        task = asyncio.get_running_loop().create_task(connection.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
