"""What a mistyped name was meant to be."""

from __future__ import annotations

import pytest

from rmqops.model.nearest import suggestion

KNOWN = ("mappedFileSizeCommitLog", "mappedFileSizeConsumeQueue", "flushDiskType")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("mapedFileSizeCommitLog", "mappedFileSizeCommitLog"),
        ("mapedFileSizeConsumeQueue", "mappedFileSizeConsumeQueue"),
        ("FLUSHDISKTYPE", "flushDiskType"),
        ("nonsense", None),
        ("", None),
    ],
)
def test_the_nearest_name(name: str, meant: str | None) -> None:
    assert suggestion(name, KNOWN) == (f"Did you mean {meant}?" if meant else None)


def test_nothing_known_suggests_nothing() -> None:
    assert suggestion("flushDiskType", ()) is None
