"""What ``tests/support/lanes.py`` says of files is true of files that there are."""

from __future__ import annotations

from collections import Counter

from tests.support import lanes


def test_every_file_of_a_lane_is_there_and_in_one_lane() -> None:
    files = Counter(file for lane in lanes.LANES for stage in lane.stages for file in stage)

    assert {file for file, count in files.items() if count > 1} == set()
    assert {file for file in files if not (lanes.TESTS / file).is_file()} == set()
    assert len({lane.name for lane in lanes.LANES}) == len(lanes.LANES)
