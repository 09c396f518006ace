"""Six promotions there and back on the same two stores: what one leaves in a log or a queue, the next meets."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.test_promote import deployed, there_and_back
from tests.support.clusters import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

ROUNDS = 6


def test_promotions_there_and_back(make_cluster: Callable[..., Cluster]) -> None:
    cluster, master, slave = deployed(make_cluster)
    for _ in range(ROUNDS):
        there_and_back(cluster, master, slave)
