"""YAML's traps: a value reaches RocketMQ's file byte for byte as it was written, or it is refused with a word."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rmqops.errors import InventoryError
from rmqops.operations.plan import trees
from tests.unit.model.conftest import FLEET, load, problems

_LONE = "vars: {rocketmq_mode: single}"


def rendered(key: str, value: str) -> str | None:
    """Return what stands in broker.p for a key, or None when the inventory is refused with a word about it."""
    text = FLEET.replace(
        _LONE,
        f"vars:\n            rocketmq_mode: single\n            rocketmq_config:\n              {key}: {value}",
    )
    errors = [problem for problem in problems(text) if problem.severity == "error"]
    if errors:
        assert all(problem.message and problem.remedy for problem in errors)
        told = ("YAML", "cannot be read by Ansible")
        assert any("rocketmq_config" in str(one.key) or one.message.count(word) for one in errors for word in told)
        return None
    topology, _ = load(text)
    (file,) = [file for file in trees.tree(topology.instance("l0")) if file.path == "conf/broker.p"]
    (line,) = [line for line in file.content.splitlines() if line.startswith(f"{key}=")]
    return line.partition("=")[2]


@pytest.mark.parametrize(
    ("key", "written", "becomes"),
    [
        ("regionId", "no", None),
        ("regionId", "Off", None),
        ("regionId", "True", None),
        ("regionId", "'no'", "no"),
        ("regionId", "1.10", None),
        ("regionId", "1.1", "1.1"),
        ("regionId", "2024-01-02", "2024-01-02"),
        ("regionId", "2024-01-02T03:04:05Z", None),
        ("regionId", ".inf", None),
        ("regionId", "~", None),
        ("regionId", "null", None),
        ("regionId", "", None),
        ("regionId", "!!str 010", "010"),
        ("regionId", "!!float 1", None),
        ("regionId", "!!binary aGk=", None),
        ("regionId", "!!python/name:os.system", None),
        ("regionId", '"a "', None),
        ("regionId", '"a\\tb"', None),
        ("regionId", "a\u00a0b", None),
        ("regionId", "a\u200bb", None),
        ("regionId", "a\u3000", None),
        ("regionId", ">\n                folded", None),
        ("traceOn", "yes", "true"),
        ("traceOn", "off", "false"),
        ("traceOn", "TRUE", "true"),
        ("traceOn", '"yes"', None),
        ("traceOn", "y", None),
        ("fileReservedTime", "48", "48"),
        ("fileReservedTime", "048", "048"),
        ("fileReservedTime", "007", "7"),
        ("fileReservedTime", "010", None),
        ("fileReservedTime", "0x10", None),
        ("fileReservedTime", "0b11", None),
        ("fileReservedTime", "1_000", None),
        ("fileReservedTime", "1:30", None),
        ("fileReservedTime", "1e3", None),
        ("fileReservedTime", "48.0", None),
        ("fileReservedTime", "+48", None),
        ("fileReservedTime", "48\u00a0", None),
        ("fileReservedTime", "99999999999999999999", None),
        ("deleteWhen", "04", "4"),
        ("deleteWhen", "08", "08"),
        ("deleteWhen", "010", None),
        ("deleteWhen", "04:00", None),
        ("deleteWhen", "12:00", None),
        ("deleteWhen", "'04;16'", "04;16"),
    ],
)
def test_known_traps(key: str, written: str, becomes: str | None) -> None:
    assert rendered(key, written) == becomes


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("rocketmq_start_timeout", "1:30"),
        ("rocketmq_stop_timeout", "010"),
        ("rocketmq_version", "4.50"),
        ("ansible_port", "0022"),
    ],
)
def test_variables_of_an_inventory_are_held_to_it(variable: str, value: str) -> None:
    with pytest.raises(InventoryError) as raised:
        load(FLEET.replace("rocketmq_cluster: test", f"rocketmq_cluster: test\n    {variable}: {value}"))
    assert any(one.key == variable and "YAML reads" in one.message for one in raised.value.problems)


def test_what_is_usual_in_ansible_is_not_complained_of() -> None:
    edited = "rocketmq_cluster: test\n    ansible_become: yes\n    rocketmq_drillable: no\n    ansible_port: 22"
    assert load(FLEET.replace("rocketmq_cluster: test", edited))[1] == ()


@settings(deadline=None)  # a text that PyYAML alone refuses is asked of Ansible
@given(st.text(alphabet="0123456789._:+-eExXoObnNyYsStTrRuUfFaAlL~iI", min_size=1, max_size=8))
@example("1_0")
@example("0o10")
@example("190:20:30")
@example("2001-12-14")
@example("=")
def test_any_plain_text_arrives_as_it_is_or_is_refused(text: str) -> None:
    if rendered_as := rendered("regionId", text):
        assert rendered_as == text or rendered_as == text.lstrip("0") or int(rendered_as) == int(text)


@settings(deadline=None)  # a text that PyYAML alone refuses is asked of Ansible
@given(st.text(alphabet="0123456789_:;.,+- xo", min_size=1, max_size=7))
def test_any_hours_arrive_as_they_are_or_are_refused(text: str) -> None:
    if rendered_as := rendered("deleteWhen", text):
        assert [int(part) for part in rendered_as.split(";")] == [int(part) for part in text.strip().split(";")]
