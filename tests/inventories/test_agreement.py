"""500 states of inventories drawn at random: rmqops reads of each what Ansible reads; 10,000 in tests/soak."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support import ansible_listings, inventory_agreement
from tests.support.ansible_listings import Listings
from tests.support.inventory_agreement import STATES


@pytest.fixture(scope="module")
def listings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listings]:
    directory = tmp_path_factory.mktemp("ansible")
    with ansible_listings.started(directory) as started, pytest.MonkeyPatch.context() as patch:
        inventory_agreement.asks_through(patch, started, directory / "cache")
        yield started


@settings(
    max_examples=500 // STATES,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # what fails is small; a search for less takes minutes
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_what_is_read_is_what_ansible_reads(
    listings: Listings, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    inventory_agreement.hold(listings, tmp_path_factory.getbasetemp() / "drawn", data)
