"""A broker that comes back leaves the master in the route: the release that ``make test`` leaves out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.test_rejoin_window import keeps_its_master
from tests.support.clusters import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]


def test_the_route_keeps_its_master(make_cluster: Callable[..., Cluster]) -> None:
    keeps_its_master(make_cluster, "4.5.1")
