"""What is told of consumer groups, from what was answered."""

from __future__ import annotations

import pytest

from rmqops.operations.topics import consumer_group_status
from rmqops.remoting.consumers import Queue


def test_a_queue_may_have_two_holders_for_a_moment() -> None:
    one, two = Queue("t", "a", 0), Queue("t", "a", 1)
    assert consumer_group_status.holders({"y": [one], "x": [one, two]}) == {one: ("x", "y"), two: ("x",)}


@pytest.mark.parametrize(
    ("name", "system"), [("TOOLS_CONSUMER", True), ("CID_RMQ_SYS_TRANS", True), ("mine", False)]
)
def test_groups_of_the_system(name: str, system: bool) -> None:
    assert consumer_group_status.is_system(name) is system
