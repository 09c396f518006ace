"""One TCP connection to a NameServer or broker, with any number of requests under way.

Requests and answers are matched by ``opaque``; frames that are handed over in one turn of the event loop leave in
one write. There is no task for a request and none for the connection: the protocol is driven by the loop alone.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Mapping
from typing import cast

from rmqops.errors import ConnectFailed, ConnectionLost, ProtocolError, RemotingError, RequestTimeout
from rmqops.remoting import codec
from rmqops.remoting.address import split
from rmqops.remoting.codec import Decoder, Frame
from rmqops.remoting.codes import ResponseCode, request_name

NO_FIELDS: Mapping[str, str] = {}


class Connection(asyncio.Protocol):
    """An open connection; make one with :meth:`open`, end it with :meth:`close`."""

    def __init__(self, address: str, loop: asyncio.AbstractEventLoop) -> None:
        self.address = address
        self.used = loop.time()
        """When a request was last handed over, by the loop's clock."""
        self._loop = loop
        self._decoder = Decoder()
        self._opaques = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Frame]] = {}
        self._outgoing: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._failure: RemotingError | None = None
        self._closed: asyncio.Future[None] = loop.create_future()
        self._writable: asyncio.Future[None] | None = None

    @classmethod
    async def open(cls, address: str, *, timeout: float = 3.0) -> Connection:
        """Return a connection to ``host:port``; ``timeout`` is in seconds.

        Raises:
            ConnectFailed: nothing listens there, the name has no address, or it took too long.
            UsageError: it is no address.
        """
        host, port = split(address)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                _, connection = await loop.create_connection(lambda: cls(address, loop), host, port)
        except TimeoutError as error:
            raise ConnectFailed(f"{address} did not take a connection within {timeout:g} s") from error
        except OSError as error:
            raise ConnectFailed(f"{address} did not take a connection: {error.strerror or error}") from error
        return connection

    @property
    def is_open(self) -> bool:
        """Whether a request can be handed over."""
        return self._transport is not None and self._failure is None and not self._transport.is_closing()

    @property
    def is_busy(self) -> bool:
        """Whether requests are under way."""
        return bool(self._pending)

    async def request(
        self, code: int, fields: Mapping[str, str] = NO_FIELDS, body: bytes = b"", *, timeout: float
    ) -> Frame:
        """Send a request and return its answer, whatever its code; ``timeout`` is in seconds.

        Raises:
            ConnectFailed: the connection was closed before; nothing was sent.
            ConnectionLost: it closed before the answer.
            RequestTimeout: no answer in time; one that comes later is dropped.
            ProtocolError: the peer sent what is no frame.
        """
        frame = Frame(code, next(self._opaques), fields=fields, body=body)
        return await self.exchange(frame.opaque, codec.encode(frame), code, timeout=timeout)

    def next_opaque(self) -> int:
        """Return the number for a frame that is encoded elsewhere; see :meth:`exchange`."""
        return next(self._opaques)

    async def exchange(self, opaque: int, frame: bytes, code: int, *, timeout: float) -> Frame:
        """Send an encoded frame and return its answer; see :meth:`request`."""
        if not self.is_open:
            why = f": {self._failure.message}" if self._failure is not None else ""
            raise ConnectFailed(f"the connection to {self.address} is closed; nothing was sent{why}")
        answer: asyncio.Future[Frame] = self._loop.create_future()
        self._pending[opaque] = answer
        self.used = self._loop.time()
        expiry = self._loop.call_later(timeout, self._expire, opaque, code, timeout)
        try:
            if self._writable is None:
                self._write(frame)
            else:
                await self._write_later(frame, answer)
            return await answer
        finally:
            expiry.cancel()
            self._pending.pop(opaque, None)

    async def close(self, *, timeout: float = 1.0) -> None:
        """Close; requests under way end in :class:`~rmqops.errors.ConnectionLost`.

        Args:
            timeout: seconds for what is still to be written; then it is dropped.
        """
        self._end(ConnectionLost(f"the connection to {self.address} was closed by this side"))
        if self._transport is None:
            return
        self._flush()
        self._transport.close()
        try:
            async with asyncio.timeout(timeout):
                await asyncio.shield(self._closed)
        except TimeoutError:
            self._transport.abort()
            await self._closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; called by the loop."""
        self._transport = cast("asyncio.Transport", transport)
        sock: socket.socket | None = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Hand every complete frame to whom it is for; called by the loop."""
        try:
            for frame in self._decoder.feed(data):
                if not frame.is_response:
                    self._answer_stranger(frame)
                elif (answer := self._pending.get(frame.opaque)) is not None and not answer.done():
                    answer.set_result(frame)
        except ProtocolError as error:
            self._end(ProtocolError(f"{self.address} sent {error.message}", remedy=error.remedy))
            if self._transport is not None:
                self._transport.abort()

    def eof_received(self) -> None:
        """Let the transport close; called by the loop."""

    def connection_lost(self, exc: Exception | None) -> None:
        """End all requests under way; called by the loop."""
        why = f": {exc}" if exc is not None else " by the peer"
        self._end(ConnectionLost(f"the connection to {self.address} was closed{why}"))
        if not self._closed.done():
            self._closed.set_result(None)

    def pause_writing(self) -> None:
        """Hold back requests until the peer has read some; called by the loop."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """Let the held-back requests go; called by the loop."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def _answer_stranger(self, frame: Frame) -> None:
        # A broker asks clients too: 40 when a group's consumers change, 220 and 221 to reset or list offsets, 307
        # and 309. We are none of the clients they mean; without an answer an operator's mqadmin would wait.
        if not frame.is_one_way:
            remark = f"request type {frame.code} not supported"
            self._write(codec.encode(frame.answer(ResponseCode.REQUEST_CODE_NOT_SUPPORTED, remark)))

    async def _write_later(self, frame: bytes, answer: asyncio.Future[Frame]) -> None:
        try:
            while self._writable is not None and not answer.done():
                await asyncio.wait((self._writable, answer), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            answer.cancel()
            raise
        if not answer.done():
            self._write(frame)

    def _write(self, frame: bytes) -> None:
        self._outgoing.append(frame)
        if len(self._outgoing) == 1:
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        frames, self._outgoing = self._outgoing, []
        if frames and self._transport is not None and not self._transport.is_closing():
            self._transport.write(frames[0] if len(frames) == 1 else b"".join(frames))

    def _expire(self, opaque: int, code: int, timeout: float) -> None:
        answer = self._pending.get(opaque)
        if answer is not None and not answer.done():
            answer.set_exception(
                RequestTimeout(f"{self.address} did not answer {request_name(code)} within {timeout:g} s")
            )

    def _end(self, failure: RemotingError) -> None:
        if self._failure is not None:
            return
        self._failure = failure
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(type(failure)(failure.message, remedy=failure.remedy))
        self.resume_writing()
