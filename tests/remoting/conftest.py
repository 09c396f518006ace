"""Fixtures with real NameServers and brokers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from rmqops.remoting.client import Client
from tests.remoting.wire import Wire, described
from tests.support.clusters import Cluster
from tests.support.shared import Shared, SharedCluster


@pytest.fixture(scope="session")
def one_broker(describe_cluster: Callable[..., Cluster], shared: Shared) -> SharedCluster:
    return SharedCluster(lambda: describe_cluster(describe=described), shared)


@pytest.fixture(scope="module")
def plain(one_broker: SharedCluster) -> Wire:
    """One NameServer and one plain broker."""
    return Wire.of(one_broker.get())


@pytest.fixture
def dledger(cluster: Cluster) -> Wire:
    """A DLedger group of three: the cluster that is shared with the drills."""
    return Wire.of(cluster)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client() as opened:
        yield opened
