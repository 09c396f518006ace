"""A NameServer or broker made of a function, on a port of this process; what it was asked is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from rmqops.remoting import codec
from rmqops.remoting.codec import Decoder, Frame

Answer = Frame | bytes | None
"""A frame, raw bytes, or nothing at all."""


class Peer:
    """Gives each request to ``answer``; closes the connection when that raises ConnectionAbortedError."""

    def __init__(self, answer: Callable[[Frame], Answer | Awaitable[Answer]]) -> None:
        self.answer = answer
        self.requests: list[Frame] = []
        self.connections = 0
        self.address = ""
        self.writers: list[asyncio.StreamWriter] = []
        self.reads = asyncio.Event()
        """Cleared, it reads no more than the buffers hold."""
        self.reads.set()
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        self._server = await asyncio.start_server(self._serve, host, port)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"

    async def stop(self) -> None:
        """Close the port and every connection, as a killed process does."""
        if self._server is not None:
            self._server.close()
            for writer in self.writers:
                writer.transport.abort()
            self.reads.set()
            await asyncio.gather(*self._serving)
            await self._server.wait_closed()
            self._server = None

    def codes(self) -> list[int]:
        return [request.code for request in self.requests]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        self.connections += 1
        self.writers.append(writer)
        decoder = Decoder()
        answering: set[asyncio.Task[None]] = set()
        try:
            while True:
                await self.reads.wait()
                if not (data := await reader.read(65536)):
                    break
                for request in decoder.feed(data):
                    self.requests.append(request)
                    answer = asyncio.create_task(self._answer(request, writer))
                    answering.add(answer)
                    answer.add_done_callback(answering.discard)
        except ConnectionError:
            pass
        finally:
            for answer in answering:
                answer.cancel()
            writer.close()

    async def _answer(self, request: Frame, writer: asyncio.StreamWriter) -> None:
        try:
            answer = self.answer(request)
            if isinstance(answer, Awaitable):
                answer = await answer
        except ConnectionAbortedError:
            writer.transport.abort()
            return
        if answer is not None:
            writer.write(answer if isinstance(answer, bytes) else codec.encode(answer))


@asynccontextmanager
async def peer(answer: Callable[[Frame], Answer | Awaitable[Answer]]) -> AsyncIterator[Peer]:
    """Run a peer for a while."""
    running = Peer(answer)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


def reply(request: Frame, code: int = 0, body: bytes = b"", remark: str | None = None, **fields: object) -> Frame:
    """Return an answer to a request."""
    texts = {name: str(value) for name, value in fields.items()}
    return Frame(code, request.opaque, 1, texts, remark, body, "JAVA")


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds, 5 s at most."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 5
    while not condition():
        assert loop.time() < deadline, f"{what}: not within 5 s"
        await asyncio.sleep(0.001)
