"""Every file of a cluster in a directory: whole, replaced whole, or not there."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from rmqops.errors import OperationFailed, UsageError
from rmqops.model.topology import Topology
from rmqops.operations import inventories
from rmqops.operations.plan import rendering, trees
from rmqops.render.files import INSTRUCTIONS, File


@pytest.fixture
def topology() -> Topology:
    return inventories.load(str(Path(__file__).parents[4] / "inventory" / "local")).topology


def test_all_instances_are_rendered_or_the_one_that_is_named(topology: Topology) -> None:
    assert list(rendering.rendered(topology)) == [instance.name for instance in topology.instances]
    one = rendering.rendered(topology, "broker-a-1")
    assert one == {"broker-a-1": trees.tree(topology.instance("broker-a-1"))}
    with pytest.raises(UsageError, match="has no instance nobody") as raised:
        rendering.rendered(topology, "nobody")
    assert "broker-a-1" in str(raised.value.remedy)


def test_a_directory_has_each_file_with_its_mode_and_the_instructions(topology: Topology, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    instances = rendering.rendered(topology)
    rendering.write(topology, instances, out)
    for name, files in instances.items():
        for file in files:
            path = out / name / file.path
            assert path.read_text("utf-8") == file.content
            assert path.stat().st_mode & 0o777 == (0o755 if file.executable else 0o644)
    assert (out / INSTRUCTIONS).read_text("utf-8") == trees.instructions(topology)
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_what_render_wrote_is_replaced_whole(topology: Topology, tmp_path: Path) -> None:
    rendering.write(topology, rendering.rendered(topology), tmp_path / "out")
    rendering.write(topology, rendering.rendered(topology, "namesrv-1"), tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {rendering.MARK, INSTRUCTIONS, "namesrv-1"}


def test_what_somebody_else_wrote_is_left_alone(topology: Topology, tmp_path: Path) -> None:
    kept = tmp_path / "out" / "thesis.txt"
    kept.parent.mkdir()
    kept.write_text("years of work")
    with pytest.raises(UsageError, match="was not written by render"):
        rendering.write(topology, rendering.rendered(topology), kept.parent)
    with pytest.raises(UsageError, match="was not written by render"):
        rendering.write(topology, rendering.rendered(topology), kept)
    assert kept.read_text() == "years of work"


def test_a_directory_that_cannot_be_made_is_a_wrong_command_line(topology: Topology, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        rendering.write(topology, rendering.rendered(topology), tmp_path / "file" / "out")


@pytest.mark.parametrize("there", [False, True])
def test_one_that_fails_in_the_middle_leaves_what_was_there(
    topology: Topology, tmp_path: Path, there: bool
) -> None:
    out = tmp_path / "out"
    if there:
        rendering.write(topology, rendering.rendered(topology, "namesrv-1"), out)
    before = contents(tmp_path)
    files = (File("conf", "a file", False), File("conf/below", "cannot be", False))
    with pytest.raises(OperationFailed, match="it is as it was") as raised:
        rendering.write(topology, {"namesrv-1": files}, out)
    assert "conf" in str(raised.value.detail)
    assert contents(tmp_path) == before


def contents(directory: Path) -> dict[str, str | None]:
    """Return every path below a directory, with what is in the files."""
    return {
        str(path.relative_to(directory)): path.read_text() if path.is_file() else None
        for path in directory.rglob("*")
    }


PLACES = ["absent", "empty", "rendered", "link", "link-to-absent", "dot", "volume"]


def place(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a place of some kind; return its name as one gives it."""
    real = tmp_path / "real"
    if kind not in {"absent", "link-to-absent"}:
        real.mkdir()
    if kind.startswith("link"):
        (tmp_path / "link").symlink_to("real")
        return tmp_path / "link"
    if kind == "dot":
        monkeypatch.chdir(real)
        return Path()
    if kind == "volume":
        (real / "lost+found").mkdir()
    return real


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_files_go_wherever_one_says_again_and_again(
    topology: Topology, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, umask: int
) -> None:
    out, real = place(kind, tmp_path, monkeypatch), tmp_path / "real"
    before = os.umask(umask)
    try:
        rendering.write(topology, rendering.rendered(topology), out)
        same = real.stat().st_ino
        (real / ".rmqops-render-killed").mkdir()
        rendering.write(topology, rendering.rendered(topology, "broker-a-0"), out)
    finally:
        os.umask(before)
    left = {path.name for path in real.iterdir()} - {"lost+found"}
    assert left == {rendering.MARK, INSTRUCTIONS, "broker-a-0"}
    assert real.stat().st_ino == same
    assert (tmp_path / "link").is_symlink() is kind.startswith("link")
    assert {stat.S_IMODE(path.stat().st_mode) for path in (real / "broker-a-0").rglob("*")} == {0o755, 0o644}


def test_a_place_where_nothing_can_be_made_is_a_wrong_command_line(topology: Topology, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for out in (tmp_path / "loop", Path("/proc/rmqops"), tmp_path / ("x" * 300)):
        with pytest.raises(UsageError, match="cannot be written"):
            rendering.write(topology, rendering.rendered(topology, "namesrv-1"), out)


@pytest.mark.parametrize("step", range(12))
def test_an_exchange_that_fails_at_any_step_is_taken_back(
    topology: Topology, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    rendering.write(topology, rendering.rendered(topology), tmp_path)
    before = contents(tmp_path)
    rename, count = Path.rename, 0

    def failing(source: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count == step + 1:
            raise OSError(errno.EBUSY, "busy", str(source))
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OperationFailed, match="it is as it was"):
        rendering.write(topology, rendering.rendered(topology), tmp_path)
    assert contents(tmp_path) == before
