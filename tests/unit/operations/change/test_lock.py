"""The lock of a cluster, held for real on this machine."""

from __future__ import annotations

import subprocess
import sys
import uuid
from dataclasses import replace

import pytest

from rmqops.errors import Unsafe
from rmqops.model.topology import Topology
from rmqops.operations.change import lock
from tests.support.instances import topology


@pytest.fixture
def cluster() -> Topology:
    return replace(topology(), cluster=f"lock-{uuid.uuid4().hex[:8]}")


def test_the_second_operator_is_told_who_the_first_one_is(cluster: Topology) -> None:
    with (
        lock.held(cluster, "deploy"),
        pytest.raises(Unsafe, match=rf"works on cluster {cluster.cluster}: .*rmqops deploy"),
        lock.held(cluster, "restart"),
    ):
        raise AssertionError("two hold it")
    with lock.held(cluster, "restart"):
        pass


def test_other_clusters_are_not_kept_waiting(cluster: Topology) -> None:
    with lock.held(cluster, "deploy"), lock.held(replace(cluster, cluster=f"{cluster.cluster}-2"), "deploy"):
        pass


def test_a_killed_holder_holds_nothing(cluster: Topology) -> None:
    program = (
        "import sys, time\n"
        "from dataclasses import replace\n"
        "from rmqops.operations.change import lock\n"
        "from tests.support.instances import topology\n"
        f"with lock.held(replace(topology(), cluster={cluster.cluster!r}), 'deploy'):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Unsafe), lock.held(cluster, "restart"):
            pass
        holder.kill()
    _take_when_free(cluster)


def _take_when_free(cluster: Topology) -> None:
    """The holder's shell hears of the death at once, and is given some seconds on a busy machine."""
    for _ in range(100):
        try:
            with lock.held(cluster, "restart"):
                return
        except Unsafe:
            continue
    pytest.fail("the lock of a killed holder is still held")
