"""The cure of a fault is made again from its kind, its instance and its id, when all else is forgotten."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmqops.chaos import faults
from rmqops.chaos.mechanisms.plan import Aim, Option
from tests.support.instances import topology

CLUSTER = topology(mode="master-slave")
VICTIM = CLUSTER.instance("broker-a-1")
FAULT = "20260101T000000Z-mine-1-1"


def values(option: Option) -> st.SearchStrategy[float | str]:
    """Return the values that an option may have."""
    if option.words:
        return st.sampled_from(option.words)
    if isinstance(option.default, str):
        return st.just("namesrv")
    return st.floats(max(option.low, 1), option.high) if option.high > 1 else st.just(option.default)


@pytest.mark.parametrize("kind", faults.kinds())
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_nothing_but_kind_instance_and_id_decides_a_cure(kind: str, data: st.DataObject) -> None:
    known = faults.find(kind).OPTIONS
    given_ = {name: data.draw(values(option), name) for name, option in known.items() if name != "jitter"}
    clients = data.draw(st.lists(st.sampled_from(["10.0.0.1", "10.0.0.2"])))
    number, path = data.draw(st.integers(1, 99999)), data.draw(st.sampled_from(["/", "/system.slice/a.service"]))
    aim = Aim(VICTIM, CLUSTER, faults.options(kind, given_), fault=FAULT, clients=tuple(clients))
    cure = faults.find(kind).plan(aim, f"{number} {path}").cure
    again = faults.cure(kind, Aim(VICTIM, CLUSTER, fault=FAULT))
    assert again.argv == cure.argv
