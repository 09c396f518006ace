"""Send messages to masters and say of each what became of it."""

from __future__ import annotations

import itertools
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Self

from rmqops.errors import ConnectFailed, ProtocolError, RemotingError
from rmqops.remoting.address import split_list
from rmqops.remoting.client import Client
from rmqops.remoting.codes import RequestCode, ResponseCode
from rmqops.remoting.messages import Message
from rmqops.remoting.outcomes import Acknowledged, Indeterminate, Outcome, Refused, classify
from rmqops.remoting.route_cache import RouteCache
from rmqops.remoting.routes import WriteQueue
from rmqops.remoting.sending import SendTemplate

QueueChoice = Callable[[Sequence[WriteQueue], Message], WriteQueue]
"""Picks the queue of a message among those of every group that has a master, ordered by group and queue."""

_NOT_THE_ADDRESS: Final = frozenset({ResponseCode.SYSTEM_BUSY, ResponseCode.MESSAGE_ILLEGAL})
"""Answers that say nothing against the master that gave them."""


def round_robin() -> QueueChoice:
    """Return a choice that takes the queues in turn."""
    turn = itertools.count()
    return lambda queues, _message: queues[next(turn) % len(queues)]


def by_key(queues: Sequence[WriteQueue], message: Message) -> WriteQueue:
    """Choose by the CRC-32 of the message's key: the same queue for a key while the route stays the same."""
    return queues[zlib.crc32((message.key or "").encode()) % len(queues)]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Whether a message is sent again; off by default, because a second copy is the caller's to judge."""

    attempts: int = 1
    """At most this many sends."""
    after_indeterminate: bool = False
    """Whether to send again what may be stored already, as the official client does."""


class Producer:
    """Sends to the masters of a topic; use it as ``async with Producer(client, "127.0.0.1:9876") as producer``.

    Args:
        client: for the connections; it stays open when the producer closes.
        nameservers: ``host:port``, several with ``;`` between them, or a sequence of them.
        group: the producer group brokers see.
        choice: :func:`round_robin` (the default), :func:`by_key`, or one's own.
        timeout: seconds for a broker's answer; the client's unless given.
        poll_interval: seconds after which a route is asked for again.
        retry: see :class:`RetryPolicy`.
        compress_over: bodies longer than this many bytes are compressed; None for never. The official client's
            default is 4096.

    Raises:
        UsageError: a NameServer's address is none.
    """

    def __init__(
        self,
        client: Client,
        nameservers: str | Sequence[str],
        *,
        group: str = "rmqops",
        choice: QueueChoice | None = None,
        timeout: float | None = None,
        poll_interval: float = 30.0,
        retry: RetryPolicy | None = None,
        compress_over: int | None = None,
    ) -> None:
        self._client = client
        addresses = split_list(nameservers if isinstance(nameservers, str) else ";".join(nameservers))
        self._routes = RouteCache(client, addresses, poll_interval=poll_interval)
        self._group = group
        self._choice = choice or round_robin()
        self._timeout = timeout or client.request_timeout
        self._retry = retry or RetryPolicy()
        self._compress_over = compress_over
        self._templates: dict[str, SendTemplate] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the route refreshes; the client stays open."""
        await self._routes.close()

    async def send(self, topic: str, message: Message) -> Outcome:
        """Send a message and say what became of it; no broker's or network's failure is raised.

        A connection that cannot be had is :class:`Refused`, because nothing was sent; one lost after the request
        was handed over, or no answer in time, is :class:`Indeterminate`. With retries, one indeterminate attempt
        makes the whole indeterminate unless a later attempt is acknowledged.

        Raises:
            UsageError: no broker can store such a topic or property.
        """
        outcome = await self._attempt(topic, message)
        if self._retry.attempts == 1 or isinstance(outcome, Acknowledged):
            return outcome
        unknown = outcome if isinstance(outcome, Indeterminate) else None
        attempt = 1
        while attempt < self._retry.attempts and (unknown is None or self._retry.after_indeterminate):
            attempt += 1
            outcome = await self._attempt(topic, message)
            if isinstance(outcome, Acknowledged):
                return replace(outcome, attempts=attempt)
            if isinstance(outcome, Indeterminate):
                unknown = outcome
        return replace(unknown or outcome, attempts=attempt)

    async def _attempt(self, topic: str, message: Message) -> Outcome:
        queues = self._routes.current(topic)
        if not queues:
            queues, reason = await self._routes.queues(topic)
            if not queues:
                return Refused(None, reason, None)
        target = self._choice(queues, message)
        outcome = await self._send_to(target, topic, message)
        if not isinstance(outcome, Acknowledged) and outcome.code not in _NOT_THE_ADDRESS:
            self._routes.failed(target.address)
        return outcome

    async def _send_to(self, target: WriteQueue, topic: str, message: Message) -> Outcome:
        address, broker, queue = target.address, target.broker, target.queue
        template = self._templates.get(topic)
        if template is None:
            template = SendTemplate(self._group, topic, compress_over=self._compress_over)
            self._templates[topic] = template
        try:
            connection = self._client.ready(address) or await self._client.connection(address)
            opaque = connection.next_opaque()
            born = time.time_ns() // 1_000_000
            frame = template.frame(message, opaque=opaque, queue=queue, born_ms=born)
        except (ConnectFailed, ProtocolError) as error:
            return Refused(None, error.message, address, broker, queue)
        try:
            answer = await connection.exchange(opaque, frame, RequestCode.SEND_MESSAGE_V2, timeout=self._timeout)
            return classify(answer, broker=broker, queue=queue, address=address)
        except ConnectFailed as error:
            return Refused(None, error.message, address, broker, queue)
        except RemotingError as error:
            return Indeterminate(error.message, address, None, broker, queue)
