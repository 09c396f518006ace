"""YAML with lines: what is read, what is refused, and that no text does anything else."""

from __future__ import annotations

import contextlib

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from rmqops.errors import InventoryError
from rmqops.model import validation, yamltext
from rmqops.model.inventory import from_listing
from rmqops.model.inventory_places import InventoryText, Kind, Places
from rmqops.model.yamltext import Opaque
from rmqops.operations import inventories
from tests.support.plain_inventory import NotPlainError, described, listing
from tests.unit.model.conftest import FLEET


def test_every_key_has_its_line() -> None:
    mapped, problems = yamltext.read("f.yml", "# c\na: 1\nb:\n  c: x\n  d: [1, 2]\n")
    assert problems == []
    assert mapped.plain() == {"a": 1, "b": {"c": "x", "d": [1, 2]}}
    assert {key: str(origin) for key, origin in mapped.places().items()} == {
        "a": "f.yml:2",
        "b": "f.yml:3",
        "b.c": "f.yml:4",
        "b.d": "f.yml:5",
    }


@pytest.mark.parametrize(
    ("text", "file", "says"),
    [
        ("a: 1\nb: [1,\n", "f.yml:3", "is not YAML"),
        ("a: 1\n\tb: 2\n", "f.yml:2", "is not YAML"),
        ("a: b: c\n", "f.yml:1", "is not YAML"),
        ("- a\n- b\n", "f.yml", "not a mapping"),
        ("just words", "f.yml", "not a mapping"),
        ("a: \x07", "f.yml", "is not YAML"),
        ("a: 1\nb: 2\na: 3\n", "f.yml:3", "first in line 1"),
        ("a:\n  b: 1\n  b: 2\n", "f.yml:3", "first in line 2"),
        ("a: 1\n---\nb: 2\n", "f.yml:2", "is not YAML"),
        ("a: &x\n  b: *x\n", "f.yml", "refers to itself"),
        ("a: &x [*x]\n", "f.yml", "refers to itself"),
        ("a: " + "[" * 90 + "]" * 90, "f.yml", "levels deep"),
        ("a: " + "[" * 100_000, "f.yml", "levels deep"),
        ("- " * 100_000, "f.yml", "levels deep"),
        ("a: 2020-13-45\n", "f.yml:1", "cannot be read"),
        ("2020-13-45: a\n", "f.yml", "cannot be read"),
        ("a: !!timestamp x\n", "f.yml:1", "cannot be read"),
        ("a: !!bool x\n", "f.yml:1", "cannot be read"),
        ("!!bool x: a\n", "f.yml", "cannot be read"),
        ("? [a]\n: b\n", "f.yml:1", "a key is a list"),
    ],
)
def test_what_is_refused(text: str, file: str, says: str) -> None:
    problems = yamltext.read("f.yml", text)[1]
    assert [problem.file for problem in problems] == [file]
    assert says in problems[0].message


def test_aliases_that_would_fill_the_memory_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    [problem] = yamltext.read("f.yml", "\n".join(lines))[1]
    assert "aliases" in problem.message


def test_aliases_that_would_nest_without_end_are_refused() -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 2000))]
    [problem] = yamltext.read("f.yml", "\n".join(lines))[1]
    assert "aliases" in problem.message


def test_a_merge_key_may_be_set_again() -> None:
    mapped, problems = yamltext.read("f.yml", "base: &b {x: 1, y: 2}\nmine:\n  <<: *b\n  x: 3\n")
    assert problems == []
    assert mapped.plain()["mine"] == {"x": 3, "y": 2}


def test_tags_are_left_to_ansible_and_dates_are_text() -> None:
    mapped, problems = yamltext.read("f.yml", "a: !vault |\n  xyz\nb: [!vault x]\nc: 2020-01-02\nd: !!set {x}\n")
    assert problems == []
    assert mapped.plain() == {
        "a": Opaque("!vault"),
        "b": Opaque("tag:yaml.org,2002:seq"),
        "c": "2020-01-02",
        "d": {"x": None},
    }


FRAGMENTS = [
    *(
        "all:",
        "\n  ",
        "\n",
        " ",
        "hosts:",
        "vars:",
        "children:",
        "namesrv",
        "brokers",
        "rocketmq_heap: ",
        "a",
        "- ",
    ),
    *("{{ a }}", "{% if %}", "{{ 1/0 }}", "'", '"', "&x ", "*x", "!vault ", "[", "]", "{", "}", ": ", "1e9", "0x"),
]
YAML_LIKE = st.lists(st.sampled_from(FRAGMENTS), max_size=60).map("".join)


@given(st.one_of(st.text(max_size=200), YAML_LIKE), st.sampled_from(["hosts", "group_vars", "host_vars"]))
@example("all: {children: {a: {children: {a: }}}}", "hosts")
@example("\ud800", "hosts")
@example("all: {children: {all: }}", "hosts")
@example("all: {hosts: [a]}", "hosts")
def test_in_any_text_places_are_found_or_are_none(text: str, kind: Kind) -> None:
    places = Places([InventoryText("f.yml", text, kind, "all")])
    found = places.of_variables("a", ["all"], {"a": 1, "rocketmq_heap": "1g"})
    assert set(found) <= {"a", "rocketmq_heap"}
    assert all(origin.file == "f.yml" for origin in [*found.values(), *places.names.values()])
    assert all(problem.message and problem.remedy for problem in [*places.problems, *places.unreadable])


@given(st.data())
def test_a_good_inventory_with_anything_in_it_loads_or_is_an_inventory_error(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(FLEET)))
    end = data.draw(st.integers(start, min(len(FLEET), start + 40)))
    broken = FLEET[:start] + data.draw(st.one_of(st.text(max_size=20), YAML_LIKE)) + FLEET[end:]
    files = described({"hosts.yml": broken})
    with contextlib.suppress(InventoryError, NotPlainError):
        raw = from_listing(listing(files), files.sources, files.places)
        validation.load(raw, inventories.reference(), {})


NESTED = st.recursive(
    st.just({"a": 1, "twice": 2, "b": [3]}),
    lambda inner: st.one_of(
        st.builds(lambda value: {"c": value, "d": {}}, inner), st.builds(lambda value: [{"e": 4}, value], inner)
    ),
    max_leaves=8,
)


@given(NESTED)
def test_a_key_that_stands_twice_is_found_wherever_its_mapping_is(value: object) -> None:
    lines = yaml.safe_dump({"root": value}, sort_keys=False).splitlines()
    at = next(number for number, line in enumerate(lines) if "twice" in line)
    lines.insert(at + 1, lines[at].replace("-", " "))
    _, (problem,) = yamltext.read("f.yml", "\n".join(lines))
    assert (problem.file, problem.key) == (f"f.yml:{at + 2}", "twice")
    assert f"first in line {at + 1}" in problem.message
