"""Events and their lines."""

from __future__ import annotations

import json
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from rmqops.chaos.history.lines import parse_line, parse_record
from rmqops.model.history import Event, Op, Type

TEXTS = st.none() | st.text()
NUMBERS = st.none() | st.integers(0, (1 << 32) - 1)
EVENTS = st.builds(
    Event,
    t=st.floats(0, 1e6, allow_nan=False) | st.integers(0, 1000),
    process=st.text(),
    op=st.sampled_from(get_args(Op)),
    type=st.sampled_from(get_args(Type)),
    topic=TEXTS, broker=TEXTS, queue=NUMBERS, offset=NUMBERS, key=TEXTS, error=TEXTS, address=TEXTS,
    value=st.none() | st.dictionaries(st.text(), st.text()),
)  # fmt: skip


@given(EVENTS)
def test_a_record_is_what_the_encoder_makes_of_its_fields(event: Event) -> None:
    assert event.record() == json.dumps(event.fields(), separators=(",", ":"), ensure_ascii=False)


def test_a_record_and_a_line_say_the_same() -> None:
    event = Event(1.5, 'p "1"', "send", "ok", "t", "b", 0, 0, "k", None, "é", {"attempts": "2"})
    assert parse_record(event.record()) == parse_line(event.line()) == event
