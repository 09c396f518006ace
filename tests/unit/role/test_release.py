"""The module that unpacks releases on a host, run as Ansible runs it: as a process."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

from tests.support.modules import run_module


def archive(tmp_path: Path, name: str) -> dict[str, str]:
    """Pack a release of one file."""
    (tmp_path / name / "lib").mkdir(parents=True)
    (tmp_path / name / "lib" / "a.jar").write_text(name)
    packed = tmp_path / f"{name}.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(tmp_path / name, arcname=name)
    digest = hashlib.sha256(packed.read_bytes()).hexdigest()
    return {"archive": str(packed), "sha256": digest, "name": name, "link": "rocketmq-4.5.2"}


def run(dest: Path, *archives: dict[str, str], keep: int = 3) -> dict:
    return run_module(
        "rocketmq_release",
        {"dest": str(dest), "state": "present", "archives": list(archives), "keep": keep, "users": None},
    )


def test_a_release_is_unpacked_once_and_linked(tmp_path: Path) -> None:
    one = archive(tmp_path, "rocketmq-4.5.2-0123456789abcdef")
    dest = tmp_path / "releases"
    assert run(dest, one)["changed"]
    assert (dest / "rocketmq-4.5.2" / "lib" / "a.jar").read_text() == one["name"]
    assert not run(dest, one)["changed"]


def test_what_a_killed_run_left_is_removed_before_anything_is_unpacked(tmp_path: Path) -> None:
    dest = tmp_path / "releases"
    (dest / ".new-left" / "lib").mkdir(parents=True)
    broken = archive(tmp_path, "rocketmq-4.5.2-0123456789abcdef") | {"sha256": "0" * 64}
    refused = run(dest, broken)
    assert refused["failed"]
    assert "arrived with SHA-256" in refused["msg"]
    assert list(dest.iterdir()) == []


def test_an_archive_that_cannot_be_unpacked_leaves_nothing(tmp_path: Path) -> None:
    one = archive(tmp_path, "rocketmq-4.5.2-0123456789abcdef")
    cut = Path(one["archive"])
    cut.write_bytes(cut.read_bytes()[:-40])
    one["sha256"] = hashlib.sha256(cut.read_bytes()).hexdigest()
    dest = tmp_path / "releases"
    assert run(dest, one)["failed"]
    assert list(dest.iterdir()) == []


def test_the_newest_releases_and_the_one_in_use_stay(tmp_path: Path) -> None:
    dest = tmp_path / "releases"
    names = [f"rocketmq-4.5.2-{number:016x}" for number in range(4)]
    pruned = [run(dest, archive(tmp_path, name), keep=2)["pruned"] for name in names]
    assert pruned == [[], [], [names[0]], [names[1]]]
    assert sorted(path.name for path in dest.iterdir()) == ["rocketmq-4.5.2", *names[2:]]


def test_with_the_last_instance_everything_goes_and_empty_directories_later_too(tmp_path: Path) -> None:
    base = tmp_path / "srv"
    home = base / "instances" / "broker-a-0"
    (home / "data").mkdir(parents=True)
    (home / "current").symlink_to("trees/0")
    run(base / "releases", archive(tmp_path, "rocketmq-4.5.2-0123456789abcdef"))
    gone = {"dest": str(base / "releases"), "state": "absent", "users": str(base / "instances")}
    assert not run_module("rocketmq_release", gone)["changed"], "an instance uses it"
    (home / "current").unlink()
    assert run_module("rocketmq_release", gone)["changed"]
    assert (home / "data").is_dir()
    (home / "data").rmdir()
    home.rmdir()
    run_module("rocketmq_release", gone)
    assert not base.exists()
