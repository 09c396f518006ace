"""The module that unpacks releases on a host, run as Ansible runs it: as a process."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

from tests.support.modules import run_module


def release(directory: Path, number: int, dest: Path | None = None) -> dict[str, str]:
    """Make a release of its own content; with ``dest`` its archive lies where the action carries it."""
    name = f"rocketmq-4.5.2-{number:016x}"
    content = directory / str(number) / "rocketmq-4.5.2"
    content.mkdir(parents=True)
    (content / "NOTICE").write_text(str(number))
    archive = dest / f".new-{name}.tar.gz" if dest else directory / f"{name}.tar.gz"
    archive.parent.mkdir(exist_ok=True)
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(content, content.name)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    return {"archive": str(archive), "sha256": digest, "name": name, "link": "rocketmq-4.5.2"}


def run(dest: Path, *archives: dict[str, str], keep: int = 3) -> dict:
    options = {"dest": str(dest), "state": "present", "archives": list(archives), "keep": keep, "users": None}
    return run_module("rocketmq_release", options)


def test_what_was_carried_is_unpacked_linked_to_and_swept_away(tmp_path: Path) -> None:
    dest = tmp_path / "releases"
    done = run(dest, release(tmp_path, 1, dest))
    assert done["changed"], done
    assert (dest / "rocketmq-4.5.2" / "NOTICE").read_text() == "1"
    assert sorted(entry.name for entry in dest.iterdir()) == ["rocketmq-4.5.2", f"rocketmq-4.5.2-{1:016x}"]


def test_of_several_each_is_there_until_it_is_unpacked(tmp_path: Path) -> None:
    dest = tmp_path / "releases"
    other = {**release(tmp_path, 2, dest), "link": "another"}
    assert run(dest, release(tmp_path, 1, dest), other)["changed"]
    assert (dest / "another" / "NOTICE").read_text() == "2"


def test_an_archive_that_did_not_arrive_whole_is_refused(tmp_path: Path) -> None:
    dest = tmp_path / "releases"
    half = release(tmp_path, 1, dest)
    Path(half["archive"]).write_bytes(Path(half["archive"]).read_bytes()[:-10])
    done = run(dest, half)
    assert done["failed"]
    assert "run the deploy again" in done["msg"]
    assert not (dest / "rocketmq-4.5.2").exists()


def test_an_archive_of_the_controller_itself_stays(tmp_path: Path) -> None:
    archive = release(tmp_path, 1)
    assert run(tmp_path / "releases", archive)["changed"]
    assert Path(archive["archive"]).exists()


def test_going_back_needs_no_archive(tmp_path: Path) -> None:
    dest = tmp_path / "releases"
    old = release(tmp_path, 1)
    run(dest, old)
    run(dest, release(tmp_path, 2))
    Path(old["archive"]).unlink()
    done = run(dest, old)
    assert done["changed"], done
    assert (dest / "rocketmq-4.5.2" / "NOTICE").read_text() == "1"


def test_old_releases_and_what_interrupted_runs_left_are_removed(tmp_path: Path) -> None:
    dest = tmp_path / "releases"
    for number in range(1, 4):
        run(dest, release(tmp_path, number))
    (dest / ".new-half").mkdir()
    (dest / ".new-half.tar.gz").touch()
    done = run(dest, release(tmp_path, 4), keep=2)
    assert sorted(done["pruned"]) == [f"rocketmq-4.5.2-{number:016x}" for number in (1, 2)]
    assert not list(dest.glob(".new-*"))
