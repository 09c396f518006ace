"""Bounds and figures with their units: where they are defined, read from a file, and printed."""

from __future__ import annotations

from dataclasses import fields

import pytest

from rmqops.chaos.report import words
from rmqops.chaos.verdicts import units
from rmqops.chaos.verdicts.bounds import UNITS, Bounds, written
from rmqops.chaos.verdicts.units import Unit, of_each, unit_of
from rmqops.errors import UsageError


def test_every_bound_has_a_unit_and_every_count_is_a_whole_number() -> None:
    assert set(UNITS) == {field.name for field in fields(Bounds)}
    counts = {name for name, unit in UNITS.items() if unit is Unit.COUNT}
    assert {name for name, value in Bounds().document().items() if isinstance(value, int)} == counts


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("keys", 40, "40"),
        ("from_slaves", 1, "1"),
        ("uneven_limit", 2.5, "2.5 %"),
        ("sustained", 5.0, "5 s"),
        ("rto_limit", 12.5, "12.5 s"),
        ("of_another_release", 3.0, "3"),
    ],
)
def test_a_bound_is_printed_in_its_unit(name: str, value: float, text: str) -> None:
    assert written(name, value) == text


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("sustained", "5", "which is not a number of seconds"),
        ("sustained", True, "which is not a number of seconds"),
        ("heartbeat", -1, "which is not a number of seconds"),
        ("uneven_limit", None, "which is not a number of percent"),
        ("keys", 2.5, "which is not a count"),
        ("from_slaves", [1], "which is not a count"),
    ],
)
def test_a_wrong_value_is_refused_in_the_words_of_its_unit(name: str, value: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Bounds.parse({name: value})


def test_a_count_of_an_older_file_is_a_whole_number_again() -> None:
    bounds = Bounds.parse({"keys": 40.0, "sustained": 5})
    assert (bounds.keys, type(bounds.keys), bounds.sustained) == (40, int, 5.0)


@pytest.mark.parametrize(
    ("name", "unit", "label", "text"),
    [
        ("rto_ms", Unit.MILLISECONDS, "rto", "2.00 s"),
        ("route_lost_ms.namesrv_s", Unit.MILLISECONDS, "route lost, namesrv_s", "2.00 s"),
        ("uneven_percent", Unit.PERCENT, "uneven", "2,000 %"),
        ("broker-a.percent", Unit.PERCENT, "broker-a, percent", "2,000 %"),
        ("orders_ms.acknowledged", Unit.COUNT, "orders_ms, acknowledged", "2,000"),
        ("orders_s.b.least_in_a_queue", Unit.COUNT, "orders_s.b, least in a queue", "2,000"),
        ("10.0.0.1:10911.as_slave", Unit.COUNT, "10.0.0.1:10911, as slave", "2,000"),
        ("masterless_windows", Unit.COUNT, "masterless windows", "2,000"),
    ],
)
def test_a_figure_has_the_unit_of_the_checks_own_word_whatever_its_thing_is_called(
    name: str, unit: Unit, label: str, text: str
) -> None:
    assert unit_of(name) is unit
    assert words.label(name) == label
    assert words.number(name, 2000) == text


def test_a_figure_behind_a_thing_must_be_known_as_one() -> None:
    assert units.parts(of_each("a.b", "queues")) == ("queues", "a.b")
    with pytest.raises(ValueError, match="rto_ms is none of the figures"):
        of_each("broker-a", "rto_ms")
