"""One drill of a user against a cluster at once, and who is asked to end it."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from rmqops.chaos.run import lock
from rmqops.errors import OperationFailed, PreflightFailed
from rmqops.system import locks
from tests.support.instances import topology
from tests.support.silent_holder import silent_holder

CLUSTER = topology()

HOLDER = """
import sys, time
from rmqops.chaos.run import lock
from tests.support.instances import topology
with lock.exclusive(topology()):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_drill_that_runs_is_asked_to_end_and_no_other_process() -> None:
    assert not lock.abort(CLUSTER), "none ever ran"
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "held\n"
        with pytest.raises(PreflightFailed, match="running already"), lock.exclusive(CLUSTER):
            pass
        assert lock.abort(CLUSTER)
        assert running.wait(10) == -signal.SIGTERM
    assert not lock.abort(CLUSTER), "the lock went with the process, though its pid stands in the file"


def test_a_drill_that_has_just_begun_does_not_end_whoever_has_the_pid_of_the_one_before() -> None:
    with lock.exclusive(CLUSTER):
        pass
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as stranger:
        started = locks.started_at(stranger.pid)
        assert started is not None
        lock._path(CLUSTER).write_text(f"{stranger.pid} {started - 1} drill against trial\n")
        with silent_holder(lock._path(CLUSTER), "a drill") as running:
            with pytest.raises(OperationFailed, match="not within"):
                lock.abort(CLUSTER)
            assert running.poll() is None
        assert not lock.abort(CLUSTER), "none runs any more"
        assert stranger.poll() is None


def test_a_suite_between_two_drills_is_no_drill() -> None:
    with lock.exclusive(CLUSTER):
        pass
    assert not lock.abort(CLUSTER), "this process lives on"


def test_drills_against_two_clusters_run_side_by_side() -> None:
    with lock.exclusive(CLUSTER), lock.exclusive(replace(CLUSTER, cluster="other")):
        pass
