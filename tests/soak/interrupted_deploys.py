"""Deploys that are ended at moments by a stopwatch, whatever step they are at: the next one finishes each."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable

import pytest

from rmqops.operations.observe import health
from tests.e2e.test_deploy import a_new_setting
from tests.support.clusters import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def changed(make_cluster: Callable[..., Cluster]) -> Cluster:
    """A deployed cluster whose settings change all the time."""
    made = make_cluster()
    made.must("deploy", "--yes")
    return made


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("after", [0.5, 2.5, 5.0])
def test_an_interrupted_deploy_is_finished_by_the_next(
    changed: Cluster, how: signal.Signals, after: float
) -> None:
    changed.must("stop")
    changed.edit(a_new_setting)
    with changed.begin("deploy", "--yes") as process:
        try:
            process.wait(after)  # the moment of the strike is the point here, not a condition
        except subprocess.TimeoutExpired:
            process.send_signal(how)
        # By the signal itself where it came before Python was there to take it.
        assert process.wait(60) in {0, 130, -how}
    changed.must("deploy", "--yes")
    health.wait(changed.topology)
