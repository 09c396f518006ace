"""The drills that ship, each alone and again and again, where ``make test`` has them as phases of one, or once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.test_drills import passes
from tests.e2e.test_kill_master import passes_and_agrees
from tests.support.clusters import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

ROUNDS = 5


@pytest.mark.parametrize(
    ("name", "struck"),
    [("kill-namesrvs", 2), ("kill-all-namesrvs", 3), ("terminate-master", 1), ("kill-clients", 2)],
)
def test_a_drill_passes(name: str, struck: int, cluster: Cluster, tmp_path: Path) -> None:
    result = passes(cluster, tmp_path, name, struck)
    assert result["checks"]["service"]["numbers"]["served_without_majority"] != 0


def test_drills_in_a_row_pass_and_their_histories_agree(cluster: Cluster, tmp_path: Path) -> None:
    for number in range(ROUNDS):
        passes_and_agrees(cluster, tmp_path / str(number))
