"""What a template may not do, whoever wrote it: reach Python, or be without an end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmqops.model.bounded_templates import MAX_SIZE
from rmqops.model.variables import HostVariables, Unresolvable
from tests.unit.model.conftest import FLEET, problems

ENDLESS = [
    "{% for i in range(10**9) %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{{ big }}{% endfor %}",
    "{% for x in [[1]] recursive %}{{ loop([x]) }}{% endfor %}",
    "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}",
    "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}{{ n.x }}",
    "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}",
    "{% set n = namespace(x=9) %}{% for i in range(60) %}{% set n.x = n.x * n.x %}{% endfor %}{{ n.x > 1 }}",
    "{% set x %}{% for i in range(99999) %}{{ big }}{% endfor %}{% endset %}{{ x | length }}",
    "{{ 'a' * 10**9 }}",
    "{{ [1] * 10**9 }}",
    "{{ 10**9 * 'a' }}",
    "{{ 10 ** 100000000 }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%*d' % (1000000000, 1) }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ '{:{w}}'.format(1, w='1000000000') }}",
    "{{ '{:{w}}'.format_map({'w': 1000000000}) }}",
    "{{ '%1000000000d' | format(1) }}",
    "{{ 'a'.ljust(10**9) }}",
    "{{ 'a'.zfill(1000000000) }}",
    "{{ '\t'.expandtabs(1000000000) }}",
    "{{ 'a' | center(1000000000) }}",
    "{{ 'a\nb' | indent(1000000000) }}",
    "{{ [1] | batch(1000000000, 0) | list }}",
    "{{ [1] | slice(1000000000) | list }}",
    "{{ big.replace('a', big) }}",
    "{{ big | replace('a', big) }}",
    "{{ big.join(big) }}",
    "{{ range(99999) | join(big) }}",
    "{{ range(99999) | map('string') | join(big) }}",
    "{{ ['a'] * 1000 | map('center', 100000) | list }}",
    "{{ range(99999) | map('center', 100000) | list }}",
    "{{ lipsum(n=1000000) }}",
]
REACHING = [
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ hostvars.__init__.__globals__ }}",
    "{{ x.append(1) }}",
    "{{ x | attr('__class__') }}",
    "{{ '{0.__class__}'.format(x) }}",
]


def resolved(template: str) -> object:
    raw = {"v": template, "big": "a" * (MAX_SIZE // 2), "x": [1]}
    return HostVariables(raw, {}, lambda *_: "")["v"]  # type: ignore[arg-type]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("template", ENDLESS)
def test_a_template_without_an_end_is_given_up(template: str) -> None:
    with pytest.raises(Unresolvable, match="cannot be resolved"):
        resolved(template)


@pytest.mark.parametrize("template", REACHING)
def test_a_template_does_not_reach_beyond_its_values(template: str) -> None:
    with pytest.raises(Unresolvable, match="cannot be resolved"):
        resolved(template)


@pytest.mark.timeout(60)
def test_one_that_is_given_up_is_named_once_for_the_whole_fleet() -> None:
    template = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    [problem] = problems(FLEET.replace("rocketmq_cluster: test", f'rocketmq_cluster: "{template}"'))
    assert (problem.file, problem.key) == ("hosts.yml:4", "rocketmq_cluster")
    assert "steps" in problem.message


@given(st.lists(st.integers(-5, 5), max_size=5), st.text("ab{%}", max_size=8))
def test_what_is_small_is_as_it_was(numbers: list[int], text: str) -> None:
    scope = HostVariables(
        {
            "sum": "{{ numbers | sum }}",
            "twice": "{{ numbers + numbers }}",
            "joined": "{{ numbers | join('-') }}",
            "loop": "{% for n in numbers %}{{ loop.index }}/{{ loop.length }}:{{ n }};{% endfor %}",
            "times": "{{ marks * 3 }}",
            "format": "{{ '%5d|%s' % (7, marks) }}{{ '{:>4}'.format(7) }}",
            "pairs": "{% for a, b in [[1, 2]] %}{{ a + b }}{% endfor %}",
        },
        {"numbers": numbers, "marks": text},
        lambda *_: "",
    )
    assert scope["sum"] == sum(numbers)
    assert scope["twice"] == numbers + numbers
    assert scope["joined"] == "-".join(map(str, numbers))
    loop = "".join(f"{index}/{len(numbers)}:{number};" for index, number in enumerate(numbers, 1))
    assert scope["loop"] == (loop or None)
    assert scope["times"] == text * 3
    assert scope["format"] == f"    7|{text}   7"
    assert scope["pairs"] == 3
