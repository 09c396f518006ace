from __future__ import annotations

import pytest

from rmqops.errors import ProtocolError
from rmqops.remoting.codec import Frame
from rmqops.remoting.outcomes import Acknowledged, Indeterminate, Position, Refused, classify

PLACE = {"queueId": "2", "queueOffset": "41", "msgId": "7F00"}


def outcome(code: int, remark: str | None = None, fields: dict[str, str] | None = None) -> object:
    answer = Frame(code, 1, 1, fields if fields is not None else {}, remark)
    return classify(answer, broker="group-0", queue=1, address="h:1")


def test_success_is_acknowledged_with_the_brokers_position() -> None:
    assert outcome(0, fields=PLACE) == Acknowledged("group-0", 2, 41, "7F00", "h:1")


@pytest.mark.parametrize("code", [10, 11, 12])
def test_stored_but_not_safe_is_no_acknowledgement(code: int) -> None:
    found = outcome(code, fields=PLACE)
    assert isinstance(found, Indeterminate)
    assert found.code == code
    assert found.position == Position("group-0", 2, 41, "7F00")
    assert found.reason.startswith("stored, but ")


@pytest.mark.parametrize(
    ("code", "remark"),
    [
        (2, "[TIMEOUT_CLEAN_QUEUE]broker busy, start flow control for a while, period in queue: 201ms"),
        (2, "[PCBUSY_CLEAN_QUEUE]broker busy"),
        (2, "[REJECTREQUEST]system busy, start flow control for a while"),
        (2, "[OVERLOAD]system busy, start flow control for a while"),
        (3, " request type 310 not supported"),
        (13, "the message is illegal"),
        (14, "service not available now"),
        (16, "sending message is forbidden"),
        (17, "topic[t] not exist"),
        (26, "subscription group not exist"),
        (1, "broker unable to service, until 2026-01-01"),
        (1, "request queueId[9] is illegal, TopicConfig [...]"),
        (1, "the topic[TBW102] is conflict with system reserved words."),
        (1, "create mapped file failed, server is busy or broken."),
    ],
)
def test_refused_with_the_brokers_own_words(code: int, remark: str) -> None:
    assert outcome(code, remark) == Refused(code, remark, "h:1", "group-0", 1)


@pytest.mark.parametrize(
    ("code", "remark"),
    [
        (1, "[PC_SYNCHRONIZED]broker busy, start flow control for a while"),
        (1, "UNKNOWN_ERROR"),
        (1, "UNKNOWN_ERROR DEFAULT"),
        (1, "store putMessage return null"),
        (1, "java.lang.NullPointerException, at x"),
        (1, "the topic[t] broke after the store"),
        (4, "transaction failed"),
        (15, "not supported"),
        (999, "new"),
        (-1, "odd"),
    ],
)
def test_all_else_is_indeterminate(code: int, remark: str) -> None:
    assert outcome(code, remark) == Indeterminate(remark, "h:1", code, "group-0", 1)


def test_an_answer_without_words_says_so() -> None:
    assert outcome(2) == Refused(2, "no remark", "h:1", "group-0", 1)


@pytest.mark.parametrize("fields", [{}, {**PLACE, "queueOffset": "x"}, {"queueId": "1"}])
@pytest.mark.parametrize("code", [0, 11])
def test_a_stored_message_without_its_position_is_a_protocol_error(code: int, fields: dict[str, str]) -> None:
    with pytest.raises(ProtocolError, match="without its position"):
        outcome(code, fields=fields)
