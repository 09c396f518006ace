"""A broker that comes back leaves the master in the route: the releases that ``make test`` leaves out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.test_rejoin_window import ELECTING, keeps_its_master
from tests.support.clusters import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("version", ELECTING[1:-1])
def test_the_route_keeps_its_master(make_cluster: Callable[..., Cluster], version: str) -> None:
    keeps_its_master(make_cluster, version)
