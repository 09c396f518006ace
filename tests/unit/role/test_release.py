"""The module that unpacks releases on a host, run as Ansible runs it."""

from __future__ import annotations

import hashlib
import os
import tarfile
from pathlib import Path
from typing import Any

from tests.support.modules import run_module


def archive(directory: Path, number: int) -> dict[str, str]:
    """Pack a release whose one file says its number, named as rmqops names archives."""
    tree = directory / "source" / "rocketmq-4.5.2"
    tree.mkdir(parents=True, exist_ok=True)
    (tree / "version").write_text(str(number))
    path = directory / f"{number}.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(tree, "rocketmq-4.5.2")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {
        "archive": str(path),
        "sha256": digest,
        "name": f"rocketmq-4.5.2-{digest[:16]}",
        "link": "rocketmq-4.5.2",
    }


def run(dest: Path, *archives: dict[str, str], **options: object) -> dict[str, Any]:
    given = {"dest": str(dest), "state": "present", "archives": archives, "keep": 3, "users": None}
    return run_module("rocketmq_release", given | options)


def test_a_release_is_unpacked_once_and_linked_to(tmp_path: Path) -> None:
    dest, one = tmp_path / "releases", archive(tmp_path, 1)
    assert run(dest, one)["changed"]
    assert (dest / "rocketmq-4.5.2" / "version").read_text() == "1"
    assert not run(dest, one)["changed"]


def test_old_releases_are_kept_for_going_back_and_then_pruned(tmp_path: Path) -> None:
    dest = tmp_path / "releases"
    made = [archive(tmp_path, number) for number in range(5)]
    for age, item in enumerate(made):
        run(dest, item)
        os.utime(dest / item["name"], (age, age))
    last = run(dest, made[-1])
    assert last["pruned"] == []
    left = sorted(entry.name for entry in dest.iterdir() if not entry.is_symlink())
    assert left == sorted(item["name"] for item in made[2:])
    back = run(dest, made[2])
    assert back["changed"]
    assert (dest / "rocketmq-4.5.2" / "version").read_text() == "2"


def test_what_arrived_damaged_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    dest, one = tmp_path / "releases", archive(tmp_path, 1)
    told = run(dest, {**one, "sha256": "0" * 64})
    assert told["failed"]
    assert "arrived with SHA-256" in told["msg"]
    assert list(dest.iterdir()) == []


def test_what_cannot_be_unpacked_leaves_nothing(tmp_path: Path) -> None:
    dest, one = tmp_path / "releases", archive(tmp_path, 1)
    cut = Path(one["archive"])
    cut.write_bytes(cut.read_bytes()[:-40])
    one["sha256"] = hashlib.sha256(cut.read_bytes()).hexdigest()
    assert run(dest, one)["failed"]
    assert list(dest.iterdir()) == []


def test_remains_of_a_killed_run_are_swept_and_what_was_carried_is_taken_away(tmp_path: Path) -> None:
    dest, one = tmp_path / "releases", archive(tmp_path, 1)
    (dest / ".new-abc" / "half").mkdir(parents=True)
    (dest / ".carried-other.tar.gz").write_text("half an archive")
    carried = dest / f".carried-{one['name']}.tar.gz"
    Path(one["archive"]).rename(carried)
    assert run(dest, {**one, "archive": str(carried)})["changed"]
    assert sorted(entry.name for entry in dest.iterdir()) == sorted([one["name"], "rocketmq-4.5.2"])


def test_with_the_last_instance_everything_goes_and_empty_directories_later_too(tmp_path: Path) -> None:
    base = tmp_path / "srv"
    home = base / "instances" / "broker-a-0"
    (home / "data").mkdir(parents=True)
    (home / "current").symlink_to("trees/0")
    run(base / "releases", archive(tmp_path, 1))
    gone = {"dest": str(base / "releases"), "state": "absent", "users": str(base / "instances")}
    assert not run_module("rocketmq_release", gone)["changed"], "an instance uses it"
    (home / "current").unlink()
    assert run_module("rocketmq_release", gone)["changed"]
    assert (home / "data").is_dir()
    (home / "data").rmdir()
    home.rmdir()
    run_module("rocketmq_release", gone)
    assert not base.exists()
