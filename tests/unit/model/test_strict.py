"""A value from a file that people write: a slip is refused, never a default."""

from __future__ import annotations

import pytest
from pydantic import Field, ValidationError

from rmqops.model.strict import StrictModel


class Trial(StrictModel):
    number: int = 1
    seconds: float = Field(default=1.0, alias="for")


def test_by_its_name_and_by_its_alias() -> None:
    assert Trial.model_validate({"for": 2.5}) == Trial(seconds=2.5)


@pytest.mark.parametrize(
    "document",
    [
        {"numbers": 1},
        {"number": "1"},
        {"number": True},
        {"number": 1.0},
        {"for": float("inf")},
        {"for": float("nan")},
        {"for": "2"},
    ],
    ids=str,
)
def test_a_slip_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Trial.model_validate(document)


def test_it_does_not_change() -> None:
    with pytest.raises(ValidationError):
        Trial().number = 2  # type: ignore[misc]
