"""10,000 states of inventories drawn at random: rmqops reads of each what Ansible reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support import ansible_listings, inventory_agreement
from tests.support.inventory_agreement import STATES

pytestmark = pytest.mark.timeout(7200)


def test_what_is_read_is_what_ansible_reads(tmp_path: Path) -> None:
    phases = (Phase.explicit, Phase.generate)
    with ansible_listings.started(tmp_path) as listings, pytest.MonkeyPatch.context() as patch:
        inventory_agreement.asks_through(patch, listings, tmp_path / "cache")

        @settings(
            max_examples=10_000 // STATES,
            deadline=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        )
        @given(data=st.data())
        def hold(data: st.DataObject) -> None:
            inventory_agreement.hold(listings, tmp_path / "drawn", data)

        hold()
