"""The module that makes, marks and removes an instance's directories, run as Ansible runs it: as a process."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.modules import run_module
from tests.support.planting import NOBODY, SERVICE, needs_root

MARK = "cluster/instance"


def run(home: Path, *, check: bool = False, **options: object) -> dict[str, Any]:
    given: dict[str, object] = {
        "path": str(home),
        "base": str(home.parent.parent),
        "owner_mark": MARK,
        "data": str(home / "data"),
        "logs": str(home / "logs"),
        "user": "",
    }
    return run_module("rocketmq_directories", given | options, check=check)


def remove(home: Path, *, check: bool = False, **options: object) -> dict[str, Any]:
    given: dict[str, object] = {
        "path": str(home),
        "owner_mark": MARK,
        "data": str(home / "data"),
        "logs": str(home / "logs"),
        "keep_data": True,
    }
    return run_module("rocketmq_removal", given | options, check=check)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "base" / "instances" / "i"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def snapshot(top: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return owner, mode and content of everything below a directory."""
    return {
        str(path.relative_to(top)): (
            path.lstat().st_uid,
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() and not path.is_symlink() else b"",
        )
        for path in [top, *top.rglob("*")]
    }


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027, 0o077])
def test_whatever_the_umask_directories_have_their_modes(umask: int, home: Path) -> None:
    before = os.umask(umask)
    try:
        assert run(home)["changed"]
        files = {"conf/broker.p": "a=1\n", "bin/start.sh": "#!/bin/sh\n"}
        assert "failed" not in run_module("rocketmq_tree", {"path": str(home), "files": files, "keep": 3})
    finally:
        os.umask(before)
    open_to_all = [home.parent.parent, home.parent, home, home / "trees", home / "current" / "conf"]
    assert {mode(path) for path in open_to_all} == {0o755}
    assert (mode(home / "data"), mode(home / "logs")) == (0o750, 0o750)
    assert mode(home / "current" / "conf" / "broker.p") == 0o644
    assert mode(home / "current" / "bin" / "start.sh") == 0o755
    assert {(path / ".rmqops").read_text() for path in (home, home / "data", home / "logs")} == {f"{MARK}\n"}
    assert not run(home)["changed"]


@needs_root
def test_what_an_earlier_umask_left_is_mended(home: Path) -> None:
    run(home, user=NOBODY)
    for path in (home.parent.parent, home.parent, home, home / "data"):
        path.chmod(0o700)
    assert run(home, user=NOBODY)["changed"]
    assert [mode(path) for path in (home.parent.parent, home.parent, home, home / "data")] == [0o755] * 3 + [0o750]
    (home.parent.parent / "of-somebody-else").touch()
    home.parent.parent.chmod(0o700)
    run(home, user=NOBODY)
    assert mode(home.parent.parent) == 0o700, "it is not ours alone"


def test_check_mode_predicts_and_touches_nothing(home: Path) -> None:
    assert run(home, check=True)["changed"]
    assert not home.exists()


@pytest.mark.parametrize("part", ["data", "logs"])
def test_what_is_neither_marked_nor_empty_is_refused_before_anything_is_touched(
    part: str, home: Path, tmp_path: Path
) -> None:
    other = tmp_path / "srv" / "app"
    other.mkdir(parents=True)
    (other / "precious").write_text("of somebody else")
    before = snapshot(tmp_path)
    told = run(home, data=str(other)) if part == "data" else run(home, logs=str(other))
    assert told["failed"]
    assert "holds precious" in told["msg"]
    assert f"rocketmq_{'data' if part == 'data' else 'log'}_dir" in told["msg"]
    assert snapshot(tmp_path) == before


def test_an_instance_s_directory_of_others_is_refused(home: Path) -> None:
    home.mkdir(parents=True)
    (home / "thesis.txt").write_text("mine")
    assert "thesis.txt" in run(home)["msg"]
    (home / "thesis.txt").unlink()
    run(home)
    for act in (run, remove):
        assert "belongs to cluster/instance" in act(home, owner_mark="other/instance")["msg"]


def test_a_directory_of_another_instance_is_refused(home: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    run(home, data=str(shared))
    told = run(home.parent / "other", owner_mark="cluster/other", data=str(shared))
    assert f"belongs to {MARK}" in told["msg"]


def test_an_empty_directory_is_taken_and_so_is_a_new_file_system(home: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    (disk / "lost+found").mkdir(parents=True)
    assert run(home, data=str(disk))["changed"]
    assert (disk / ".rmqops").exists()


def deployed_before_marks(home: Path, data: Path, logs: Path) -> None:
    """Leave what an earlier rmqops left: a marked instance, whose run.sh names directories without a mark."""
    tree = home / "trees" / "0" / "bin"
    tree.mkdir(parents=True)
    (tree / "run.sh").write_text(f"#!/bin/sh\nlogs='{logs}'\nmkdir -p \"$logs\" \"$home/run\" '{data}'\n")
    (home / "current").symlink_to("trees/0")
    (home / ".rmqops").write_text(f"{MARK}\n")
    for directory in (data, logs, home / "run"):
        directory.mkdir(parents=True)
        (directory / "content").write_text("a message")


@pytest.mark.parametrize("keep", [True, False])
def test_a_cluster_of_before_the_marks_is_ours(keep: bool, home: Path, tmp_path: Path) -> None:
    data, logs, app = tmp_path / "data" / "q", tmp_path / "log" / "q", tmp_path / "app"
    deployed_before_marks(home, data, logs)
    app.mkdir()
    (app / "precious").touch()
    assert "holds precious" in run(home, data=str(app), logs=str(logs))["msg"], "that one it does not name"
    assert run(home, data=str(data) + "/", logs=str(logs))["changed"]
    assert (data / ".rmqops").exists()
    told = remove(home, data=str(data), logs=str(logs), keep_data=keep)
    assert told["changed"], told
    assert (home.exists(), logs.exists(), data.exists()) == (False, False, keep)


def test_messages_of_before_the_marks_can_be_taken_up_again(home: Path, tmp_path: Path) -> None:
    data, logs = tmp_path / "data" / "q", tmp_path / "log" / "q"
    deployed_before_marks(home, data, logs)
    remove(home, data=str(data), logs=str(logs))
    assert (data / "content").exists()
    assert run(home, data=str(data), logs=str(logs))["changed"]
    remove(home, data=str(data), logs=str(logs), keep_data=False)
    assert not data.exists()


def test_one_that_was_never_deployed_again_is_removed_as_well(home: Path, tmp_path: Path) -> None:
    data, logs = tmp_path / "data" / "q", tmp_path / "log" / "q"
    deployed_before_marks(home, data, logs)
    remove(home, data=str(data), logs=str(logs), keep_data=False)
    assert not home.exists()
    assert not logs.exists()
    assert not data.exists()


def test_absent_leaves_what_bears_no_mark_and_says_so(home: Path, tmp_path: Path) -> None:
    run(home)
    app = tmp_path / "app"
    app.mkdir()
    (app / "precious").write_text("of somebody else")
    before = snapshot(app)
    told = remove(home, data=str(app), logs=str(app), keep_data=False)
    assert told["left"] == [f"{app}: no deploy of {MARK} made it"] * 2
    assert snapshot(app) == before
    assert not (home / "current").exists()


def test_data_stay_unless_told_and_can_be_removed_or_taken_again_later(home: Path) -> None:
    run(home)
    (home / "data" / "commitlog").mkdir()
    (home / "notes.txt").write_text("an operator's own")
    assert remove(home)["changed"]
    assert sorted(path.name for path in home.iterdir()) == ["data", "notes.txt"]
    assert not remove(home)["changed"]
    (home / "notes.txt").unlink()
    assert run(home)["changed"]
    remove(home)
    assert remove(home, keep_data=False)["changed"]
    assert not home.exists()


def test_removal_follows_no_link_and_copes_with_odd_content(home: Path, tmp_path: Path) -> None:
    run(home)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("of somebody else")
    before = snapshot(outside)
    data = home / "data"
    (data / "link").symlink_to(outside)
    (data / "file").symlink_to(outside / "precious")
    os.mkfifo(data / "pipe")
    Path(os.fsdecode(os.fsencode(data) + b"/\xff\n")).mkdir()
    deep = os.open(data, os.O_RDONLY)
    for _ in range(400):
        os.mkdir("deeper", dir_fd=deep)
        below = os.open("deeper", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = below
    os.close(deep)
    told = remove(home, keep_data=False)
    assert "failed" not in told, told
    assert not home.exists()
    assert snapshot(outside) == before


@needs_root
@pytest.mark.parametrize("plant", ["symlink", "fifo", "directory"])
def test_an_odd_mark_is_none(plant: str, home: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{MARK}\n")
    data = home / "data"
    data.mkdir(parents=True)
    mark = data / ".rmqops"
    if plant == "symlink":
        mark.symlink_to(secret)
    elif plant == "fifo":
        os.mkfifo(mark)
    else:
        mark.mkdir()
    (data / "x").touch()
    assert "was not made by rmqops" in run(home)["msg"]


@needs_root
def test_root_follows_no_link_of_another_on_the_way(home: Path, tmp_path: Path) -> None:
    """The service owns what is above its data: it may put a link there to what is root's."""
    own, secrets = tmp_path / "own", tmp_path / "secrets"
    own.mkdir()
    secrets.mkdir(mode=0o700)
    os.chown(own, SERVICE, SERVICE)
    link = own / "store"
    link.symlink_to(secrets)
    before = snapshot(secrets)
    os.lchown(link, SERVICE, SERVICE)
    for act in (run, remove):
        told = act(home, data=str(link / "data"))
        assert "root does not follow it" in told.get("msg", ""), told
    assert snapshot(secrets) == before
    os.lchown(link, 0, 0)
    assert run(home, data=str(link / "data"))["changed"], "root's own link is followed"


@needs_root
def test_owner_and_mode_are_the_services_and_nobody_elses_is_taken(home: Path, tmp_path: Path) -> None:
    name = NOBODY
    run(home, user=name)
    owners = [path.stat().st_uid for path in (home / "data", home / "logs", home)]
    number = (home / "data").stat().st_uid
    assert owners == [number, number, 0]
    assert number != 0
    os.chown(home / "data", 0, 0)
    assert run(home, user=name)["directories"] == [str(home / "data")]
    other = tmp_path / "other"
    other.mkdir()
    os.chown(other, SERVICE, SERVICE)
    assert "belongs to" in run(home, user=name, data=str(other))["msg"]
    assert other.stat().st_uid == SERVICE


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[Path], Path]]:
    """Lay a directory over another, as a mount: of the same file system, which its number does not tell."""
    made: list[Path] = []

    def mount(where: Path) -> Path:
        source = tmp_path / f"disk-{len(made)}"
        source.mkdir()
        where.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["mount", "--bind", source, where], capture_output=True, check=False)
        if done.returncode != 0:
            pytest.skip("nothing may be mounted here")
        made.append(where)
        return source

    yield mount
    for where in reversed(made):
        subprocess.run(["umount", where], check=True)
    for where in made:
        shutil.rmtree(where, ignore_errors=True)


@needs_root
def test_a_mount_in_it_is_not_entered(home: Path, mounted: Callable[[Path], Path]) -> None:
    run(home)
    source = mounted(home / "data" / "other-disk")
    (source / "precious").write_text("of somebody else")
    told = remove(home, keep_data=False)
    assert any("is another mount" in text for text in told["left"]), told
    assert (source / "precious").read_text() == "of somebody else"


@needs_root
def test_a_mount_itself_is_emptied_and_stays(home: Path, tmp_path: Path, mounted: Callable[[Path], Path]) -> None:
    where = tmp_path / "mounted"
    source = mounted(where)
    (source / "lost+found").mkdir()
    run(home, data=str(where))
    (where / "commitlog").mkdir()
    told = remove(home, data=str(where), keep_data=False)
    assert "failed" not in told, told
    assert [path.name for path in source.iterdir()] == ["lost+found"]


@needs_root
def test_logs_are_not_to_be_a_whole_file_system(
    home: Path, tmp_path: Path, mounted: Callable[[Path], Path]
) -> None:
    mounted(tmp_path / "mounted")
    assert "is mounted" in run(home, logs=str(tmp_path / "mounted"))["msg"]
