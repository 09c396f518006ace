"""Pull messages from any member of a group, master or slave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from rmqops.errors import BrokerError, OperationFailed, ProtocolError
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.remoting.codes import TOOLS_GROUP, PullFlag, RequestCode, ResponseCode, request_name
from rmqops.remoting.messages import StoredMessage, decode_batch

BATCH: Final = 32
"""Messages in one pull; a broker gives no more by default (``maxTransferCountOnMessageInMemory``)."""

_PAUSE: Final = 0.05
"""Seconds between two pulls of a queue that has nothing new."""


class PullStatus(Enum):
    """What a broker found."""

    FOUND = ResponseCode.SUCCESS
    NOT_FOUND = ResponseCode.PULL_NOT_FOUND
    """Nothing at the offset yet."""
    RETRY = ResponseCode.PULL_RETRY_IMMEDIATELY
    """Nothing that matches, being removed, or a slave asked beyond its own end: go on at ``next_offset``."""
    OFFSET_MOVED = ResponseCode.PULL_OFFSET_MOVED
    """The offset is outside of the queue; ``next_offset`` is inside."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """A broker's answer to a pull."""

    status: PullStatus
    messages: tuple[StoredMessage, ...]
    next_offset: int
    min_offset: int
    max_offset: int
    suggested_broker_id: int
    """The member to ask next: 0 is the master; 1 when this one would have to read from disk."""
    address: str
    """Who answered."""


class Consumer:
    """Pulls over a client's connections; the caller says from whom, so nothing is balanced or remembered here.

    Args:
        client: for the connections.
        group: the consumer group brokers see; the default exists on every broker.
    """

    def __init__(self, client: Client, *, group: str = TOOLS_GROUP) -> None:
        self._client = client
        self._admin = Admin(client)
        self._group = group

    async def pull(
        self,
        address: str,
        topic: str,
        queue: int,
        offset: int,
        *,
        limit: int = BATCH,
        suspend: float = 0.0,
        timeout: float | None = None,
    ) -> Pulled:
        """Pull up to ``limit`` messages of every tag from one queue of one member.

        Args:
            address: the member, ``host:port``.
            topic: the topic.
            queue: its queue.
            offset: the first message wanted.
            limit: at most this many messages.
            suspend: seconds that the broker may wait for a message before it answers NOT_FOUND; 0 for no waiting.
                It looks every 5 s (``PullRequestHoldService``); a master answers at once when a message comes, a
                slave does not.
            timeout: seconds for the answer, ``suspend`` and 5 s more excluded.

        Raises:
            BrokerError: any other code, such as 17 for a topic the member does not know.
            RemotingError: there was no answer, or a message in it is damaged.
        """
        flag = PullFlag.SUBSCRIPTION | (PullFlag.SUSPEND if suspend > 0 else PullFlag(0))
        fields = {
            "consumerGroup": self._group,
            "topic": topic,
            "queueId": str(queue),
            "queueOffset": str(offset),
            "maxMsgNums": str(limit),
            "sysFlag": str(int(flag)),
            "commitOffset": "0",
            "suspendTimeoutMillis": str(int(suspend * 1000)),
            "subscription": "*",
            "subVersion": "0",
            "expressionType": "TAG",
        }
        wait = (timeout or self._client.request_timeout) + (suspend + 5.0 if suspend > 0 else 0.0)
        answer = await self._client.request(address, RequestCode.PULL_MESSAGE, fields, timeout=wait)
        try:
            status = PullStatus(answer.code)
        except ValueError:
            request = request_name(RequestCode.PULL_MESSAGE)
            raise BrokerError(answer.code, answer.remark, address=address, request=request) from None
        try:
            return Pulled(
                status=status,
                messages=tuple(decode_batch(answer.body)) if status is PullStatus.FOUND else (),
                next_offset=int(answer.fields["nextBeginOffset"]),
                min_offset=int(answer.fields["minOffset"]),
                max_offset=int(answer.fields["maxOffset"]),
                suggested_broker_id=int(answer.fields["suggestWhichBrokerId"]),
                address=address,
            )
        except (KeyError, ValueError) as error:
            raise ProtocolError(f"{address} answered a pull without its offsets: {dict(answer.fields)}") from error

    async def drain(
        self, address: str, topic: str, queue: int, end: int, *, begin: int | None = None, stall: float = 20.0
    ) -> AsyncIterator[StoredMessage]:
        """Yield the messages of :meth:`drain_batches` one by one."""
        async for messages in self.drain_batches(address, topic, queue, end, begin=begin, stall=stall):
            for message in messages:
                yield message

    async def drain_batches(
        self, address: str, topic: str, queue: int, end: int, *, begin: int | None = None, stall: float = 20.0
    ) -> AsyncIterator[list[StoredMessage]]:
        """Yield the messages of one queue of one member, from its first or ``begin``, up to ``end`` (exclusive).

        Each batch is what one answer brought, and has one message at least. It ends
        when ``end`` is reached and not before; a queue that is shorter is waited for as long as it grows.
        So is a slave that does not know the topic yet: it takes over its master's topics every 10 s
        (``BrokerController.handleSlaveSynchronize``).

        Args:
            address: the member, ``host:port``.
            topic: the topic.
            queue: its queue.
            end: the offset after the last message wanted.
            begin: the first offset wanted; the first the member still has unless given.
            stall: seconds without any progress after which it is given up.

        Raises:
            OperationFailed: no progress for ``stall`` seconds, or messages from ``begin`` on are gone.
            RemotingError: an answer was no success, or there was none.
        """
        loop = asyncio.get_running_loop()
        # Not by a pull at 0: a master stores a message of its own for a pull outside of the queue
        # (OFFSET_MOVED_EVENT).
        offset = await self._admin.min_offset(address, topic, queue) if begin is None else begin
        deadline = loop.time() + stall
        while offset < end:
            answer = await self._pull_if_known(address, topic, queue, offset)
            pulled = answer if isinstance(answer, Pulled) else None
            if pulled is not None and pulled.min_offset > offset:
                raise OperationFailed(
                    f"{topic} queue {queue} of {address}: the messages from offset {offset} on are gone; "
                    f"the first one left is {pulled.min_offset}"
                )
            messages = [
                message for message in (pulled.messages if pulled else ()) if offset <= message.offset < end
            ]
            if messages:
                yield messages
            if pulled is not None and pulled.next_offset > offset:
                offset = pulled.next_offset
                deadline = loop.time() + stall
            elif loop.time() > deadline:
                raise OperationFailed(
                    f"{topic} queue {queue} of {address} stands at offset {offset} of {end} "
                    f"and did not move for {stall:g} s",
                    detail=f"last answer: {answer}",
                )
            else:
                await asyncio.sleep(_PAUSE)

    async def _pull_if_known(self, address: str, topic: str, queue: int, offset: int) -> Pulled | BrokerError:
        try:
            return await self.pull(address, topic, queue, offset)
        except BrokerError as error:
            if error.code == ResponseCode.TOPIC_NOT_EXIST:
                return error
            raise
