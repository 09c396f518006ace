"""The lock of a cluster, held for real on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.errors import OperationFailed, Unsafe
from rmqops.model.commands import Command
from rmqops.model.topology import Topology
from rmqops.operations.change import lock
from rmqops.transport.fake import FakeRunning, FakeTransport
from tests.support.instances import topology
from tests.support.waiting import until


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


def test_a_broken_lock_is_free_at_once_and_its_holder_ends_before_its_next_step(cluster: Topology) -> None:
    with lock.held(cluster, "deploy") as ours:
        ours.check()
        (seen,) = lock.look(cluster)
        assert str(seen.holder).endswith("rmqops deploy")
        assert lock.break_open(cluster) == (seen,)
        with lock.held(cluster, "restart") as theirs:

            def told() -> bool:
                try:
                    ours.check()
                except OperationFailed as error:
                    return "was broken by rmqops unlock by " in error.message
                return False

            until(told, "the first holder hears of it")
            theirs.check()
    (free,) = lock.look(cluster)
    assert free.holder is None


def test_a_holder_that_sends_no_pulse_loses_it(cluster: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that sleeps, or whose packets are dropped: its process on the host hears nothing, nor an end."""
    monkeypatch.setattr(lock, "PULSE", 3600.0)
    monkeypatch.setattr(lock, "PATIENCE", 1)
    with lock.held(cluster, "deploy") as ours:

        def lost() -> bool:
            try:
                ours.check()
            except OperationFailed as error:
                return "was lost" in error.message and "has ended" in str(error.detail)
            return False

        monkeypatch.setattr(lock, "ANSWER_WITHIN", 0.0)
        until(lost, "the host lets go")
        with lock.held(cluster, "restart"):
            pass


def test_a_pulse_keeps_it(cluster: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PULSE", 0.1)
    with lock.held(cluster, "deploy") as ours:
        (session,) = ours._sessions
        first = session._certain
        until(lambda: session._certain > first + 1, "pulses are answered")
        ours.check()


PLANTED: Mapping[str, Callable[[Path], object]] = {
    "file": lambda path: path.write_text("mallory"),
    "fifo": os.mkfifo,
    "link": lambda path: path.symlink_to("/etc/passwd"),
    "directory": Path.mkdir,
}


@pytest.mark.parametrize("kind", PLANTED)
@pytest.mark.parametrize("place", ["/tmp", "/run/lock"])
def test_what_others_have_put_in_the_old_places_does_nothing(cluster: Topology, kind: str, place: str) -> None:
    path = Path(place, f"rmqops-{cluster.cluster}.lock")
    if not path.parent.is_dir():
        pytest.skip(f"there is no {place}")
    PLANTED[kind](path)
    try:
        with lock.held(cluster, "deploy"), pytest.raises(Unsafe), lock.held(cluster, "restart"):
            pass
    finally:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody")


@needs_root
def test_nobody_else_can_open_it(cluster: Topology) -> None:
    with lock.held(cluster, "deploy"):
        made = next(Path("/run/rmqops").glob(f"{cluster.cluster}.*"))
        for argv in (["cat", str(made)], ["ls", str(made.parent)], ["flock", "-n", str(made), "true"]):
            assert subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", *argv], check=False).returncode
    assert not made.exists()


@needs_root
@pytest.mark.parametrize("home", ["theirs", "link", "none"])
def test_a_user_takes_a_directory_that_is_theirs_alone(cluster: Topology, home: str) -> None:
    """Where home and session have no such place, one of /tmp; and never one that somebody else made there."""
    user, base = "65533", Path(tempfile.mkdtemp(prefix="rmqops-lock-"))
    base.chmod(0o755)
    theirs = Path("/tmp", f"rmqops-{user}")
    if home == "theirs":
        (base / "home").mkdir()
        os.chown(base / "home", int(user), int(user))
    elif home == "link":
        theirs.symlink_to("/etc")
    argv = lock.hold_command(cluster, "me").argv
    where = {"HOME": str(base / "home"), "PATH": os.environ["PATH"]}
    try:
        with subprocess.Popen(
            ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", *argv],
            env=where, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as holder:  # fmt: skip
            assert holder.stdout is not None
            answer = holder.stdout.readline()
            holder.communicate()
        if home == "link":
            assert "alone can enter" in answer
            assert str(theirs) in answer
        else:
            assert answer == "held\n"
            assert theirs.exists() is (home == "none")
    finally:
        shutil.rmtree(base)
        if theirs.is_symlink():
            theirs.unlink()
        elif theirs.exists():
            theirs.rmdir()


def test_a_place_that_cannot_be_had_is_no_lock_of_somebody(cluster: Topology) -> None:
    def answer(_: Command) -> tuple[int, str]:
        return 1, "rmqops: 9: cannot create /run/rmqops/x.lock: Read-only file system"

    with (
        pytest.raises(OperationFailed, match="cannot be taken there; nothing was touched") as raised,
        lock.held(cluster, "deploy", lambda _: Ended(answer, "far")),
    ):
        pass
    assert "Read-only file system" in str(raised.value.detail)


class Ended(FakeTransport):
    """A host on which whatever is started ends by itself."""

    def open(self, command: Command, *, talk: bool = False) -> FakeRunning:
        """Start it, and do not wait for its input."""
        return super().open(command)
