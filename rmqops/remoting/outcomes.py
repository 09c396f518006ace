"""What became of a send: acknowledged, refused, or nobody knows. No input, no output, no clock.

The rule: *refused* only where the release's source shows that the message cannot be in any log, *acknowledged*
only for a plain success; all else is *indeterminate*. A drill's verdict stands on this table.

==================================== ============= ========================================================
answer                               outcome       source (4.5.2; 4.4.0 has the same but DLedger)
==================================== ============= ========================================================
0 SUCCESS                            acknowledged  ``SendMessageProcessor.handlePutMessageResult``
10 FLUSH_DISK_TIMEOUT                indeterminate stored, not yet on disk; with its position
11 SLAVE_NOT_AVAILABLE               indeterminate stored, no slave near enough; with its position
12 FLUSH_SLAVE_TIMEOUT               indeterminate stored, no slave had it in time; with its position
2 SYSTEM_BUSY                        refused       never queued, or taken off the queue before it ran:
                                                   ``NettyRemotingAbstract`` (``[REJECTREQUEST]``,
                                                   ``[OVERLOAD]``), ``BrokerFastFailure``
                                                   (``[TIMEOUT_CLEAN_QUEUE]``, ``[PCBUSY_CLEAN_QUEUE]``)
3, 13, 16, 17, 26                    refused       checked before the store, or by its serializer
14 SERVICE_NOT_AVAILABLE             refused       only ``DefaultMessageStore.putMessage`` (a slave, shut
                                                   down, not writeable). ``DLedgerCommitLog`` maps
                                                   NOT_LEADER to it, too, but dledger 0.1 gives that future
                                                   the position -1, which is answered with 1
                                                   ``[PC_SYNCHRONIZED]``
1, from a check before the store     refused       see :data:`CHECKS`
1 ``[PC_SYNCHRONIZED]``              indeterminate hides WAIT_QUORUM_ACK_TIMEOUT: may be committed later
1 ``UNKNOWN_ERROR``, all others      indeterminate hides TERM_CHANGED (an entry of the old leader's log) and
                                                   the broker's own time-out of 3 s
any other code                       indeterminate a release we have not read
==================================== ============= ========================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rmqops.errors import ProtocolError
from rmqops.remoting.codec import Frame
from rmqops.remoting.codes import ResponseCode


@dataclass(frozen=True, slots=True)
class Position:
    """Where a broker says it put a message."""

    broker: str
    """The group's name."""
    queue: int
    offset: int
    msg_id: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Stored as safely as the group's configuration promises."""

    broker: str
    queue: int
    offset: int
    msg_id: str
    """The broker's id (address and place in the log), not the official client's ``UNIQ_KEY``."""
    address: str
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Refused:
    """Certainly not stored."""

    code: int | None
    """The broker's code; None when no broker was reached."""
    reason: str
    """The broker's own words, where a broker said no."""
    address: str | None
    broker: str | None = None
    queue: int | None = None
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Indeterminate:
    """Perhaps stored, now or later; or stored, but not as safely as the group's configuration promises."""

    reason: str
    address: str
    code: int | None = None
    """The broker's code; None when it did not answer."""
    broker: str | None = None
    queue: int | None = None
    position: Position | None = None
    """Where the broker put it (codes 10, 11, 12)."""
    attempts: int = 1


Outcome = Acknowledged | Refused | Indeterminate

_STORED_UNSAFE: Final = {
    ResponseCode.FLUSH_DISK_TIMEOUT: "stored, but not flushed to disk in time",
    ResponseCode.SLAVE_NOT_AVAILABLE: "stored, but no slave is near enough to copy it",
    ResponseCode.FLUSH_SLAVE_TIMEOUT: "stored, but no slave copied it in time",
}

NEVER_STORED: Final = frozenset(
    {
        ResponseCode.SYSTEM_BUSY,
        ResponseCode.REQUEST_CODE_NOT_SUPPORTED,
        ResponseCode.MESSAGE_ILLEGAL,
        ResponseCode.SERVICE_NOT_AVAILABLE,
        ResponseCode.NO_PERMISSION,
        ResponseCode.TOPIC_NOT_EXIST,
        ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
    }
)
"""Codes of answers that are given before the message reaches a log."""

CHECKS: Final = (
    ("broker unable to service, until ", ""),  # SendMessageProcessor.sendMessage
    ("request queueId[", ""),  # AbstractSendMessageProcessor.msgCheck
    ("the topic[", "is conflict with system reserved words."),  # AbstractSendMessageProcessor.msgCheck
    (
        "create mapped file failed, server is busy or broken.",
        "",
    ),  # CommitLog.putMessage, before the message's bytes
)
"""Beginnings and ends of the remarks of code 1 that are given before the message reaches a log."""


def classify(answer: Frame, *, broker: str, queue: int, address: str) -> Outcome:
    """Return what an answer to SEND_MESSAGE_V2 means, by the table above.

    Raises:
        ProtocolError: a success without the position of the message.
    """
    code = answer.code
    if code == ResponseCode.SUCCESS:
        place = _position(answer, broker, address)
        return Acknowledged(broker, place.queue, place.offset, place.msg_id, address)
    words = answer.remark or "no remark"
    unsafe = _STORED_UNSAFE.get(ResponseCode(code)) if code in _STORED_UNSAFE else None
    if unsafe is not None:
        return Indeterminate(unsafe, address, code, broker, queue, _position(answer, broker, address))
    if code in NEVER_STORED or (code == ResponseCode.SYSTEM_ERROR and _checked_before(words)):
        return Refused(code, words, address, broker, queue)
    return Indeterminate(words, address, code, broker, queue)


def _checked_before(words: str) -> bool:
    return any(words.startswith(start) and words.endswith(end) for start, end in CHECKS)


def _position(answer: Frame, broker: str, address: str) -> Position:
    fields = answer.fields
    try:
        return Position(broker, int(fields["queueId"]), int(fields["queueOffset"]), fields["msgId"])
    except (KeyError, ValueError) as error:
        raise ProtocolError(f"{address} acknowledged a send without its position: {dict(fields)}") from error
