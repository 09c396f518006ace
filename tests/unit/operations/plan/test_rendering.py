"""Every file of a cluster in a directory: whole, replaced whole, or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmqops.errors import UsageError
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


def test_one_that_fails_in_the_middle_leaves_what_was_there(topology: Topology, tmp_path: Path) -> None:
    out = tmp_path / "out"
    rendering.write(topology, rendering.rendered(topology, "namesrv-1"), out)
    before = sorted(path.name for path in out.iterdir())
    files = (File("conf", "a file", False), File("conf/below", "cannot be", False))
    with pytest.raises(OSError, match="conf"):
        rendering.write(topology, {"namesrv-1": files}, out)
    assert sorted(path.name for path in out.iterdir()) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
