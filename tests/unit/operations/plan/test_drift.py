"""What a running process has and its file does not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmqops.model.topology import Instance
from rmqops.operations import inventories
from rmqops.operations.hosts.facts import Facts
from rmqops.operations.plan import drift

INVENTORIES = Path(__file__).parents[4] / "inventory"


@pytest.fixture(scope="module")
def broker() -> Instance:
    return inventories.load(str(INVENTORIES / "local")).topology.instance("broker-a-0")


@pytest.mark.parametrize(
    ("written", "live", "says"),
    [
        ({"flushDiskType": "SYNC_FLUSH"}, {"flushDiskType": "SYNC_FLUSH"}, []),
        (
            {"flushDiskType": "SYNC_FLUSH"},
            {"flushDiskType": "ASYNC_FLUSH"},
            ["runs with flushDiskType=ASYNC_FLUSH, its file says SYNC_FLUSH"],
        ),
        ({}, {"fileReservedTime": "72"}, []),
        ({}, {"fileReservedTime": "1"}, ["runs with fileReservedTime=1, the default is 72"]),
        ({"brokerRole": "SLAVE", "brokerId": "2"}, {"brokerRole": "SYNC_MASTER", "brokerId": "0"}, []),
        ({}, {"aKeyOfALaterRelease": "1"}, []),
        ({}, {"haListenPort": "21912"}, []),
    ],
    ids=["level", "changed", "default", "changed default", "elected", "unknown", "follows another key"],
)
def test_what_is_drift(broker: Instance, written: dict[str, str], live: dict[str, str], says: list[str]) -> None:
    assert list(drift.in_force(broker, Facts(settings=written), live)) == says
