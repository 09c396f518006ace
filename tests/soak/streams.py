"""Many more command lines with many more kinds of streams than the suite has time for."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.odd_streams import Streams
from tests.unit.cli.test_streams import STREAMS, Place, hold, lines, place

__all__ = ["place"]  # a fixture


@settings(max_examples=10_000, deadline=None)
@given(argv=st.sampled_from(lines()), streams=STREAMS)
def test_a_command_ends_as_it_should_whatever_its_streams_are(
    place: Place,
    argv: list[str],
    streams: Streams,
) -> None:
    hold(place, argv, streams)
