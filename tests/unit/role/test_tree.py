"""The module that puts an instance's files on a host, run as Ansible runs it: as a process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.modules import run_module

FILES = {"conf/broker.p": "a=1\n", "bin/start.sh": "#!/bin/sh\n"}
MARK = "cluster/instance"


def run(home: Path, check: bool = False, diff: bool = False, **arguments: object) -> dict[str, Any]:
    given: dict[str, object] = {
        "path": str(home),
        "owner_mark": MARK,
        "state": "present",
        "files": {},
        "data": None,
        "logs": None,
        "keep": 3,
    }
    return run_module("rocketmq_tree", given | arguments, check=check, diff=diff)


def test_a_tree_is_put_in_place_and_found_unchanged(tmp_path: Path) -> None:
    home = tmp_path / "i"
    first = run(home, files=FILES)
    assert first["changed"], first
    assert sorted(first["files"]) == sorted(FILES)
    assert (home / "current" / "conf" / "broker.p").read_text() == "a=1\n"
    assert os.access(home / "current" / "bin" / "start.sh", os.X_OK)
    assert (home / "current").readlink() == Path("trees", first["tree"])
    assert not run(home, files=FILES)["changed"]


def test_check_mode_says_what_would_change_and_does_not(tmp_path: Path) -> None:
    home = tmp_path / "i"
    predicted = run(home, files=FILES, check=True, diff=True)
    assert predicted["changed"]
    assert [diff["after"] for diff in predicted["diff"]] == [FILES[name] for name in sorted(FILES)]
    assert not home.exists()


def test_a_changed_file_makes_another_tree_and_keeps_the_old_one(tmp_path: Path) -> None:
    home = tmp_path / "i"
    old = run(home, files=FILES)["tree"]
    changed = run(home, files={**FILES, "conf/broker.p": "a=2\n"})
    assert changed["files"] == ["conf/broker.p"]
    assert (home / "trees" / old / "conf" / "broker.p").read_text() == "a=1\n"
    assert (home / "current" / "conf" / "broker.p").read_text() == "a=2\n"


def test_an_edited_or_missing_file_is_written_again(tmp_path: Path) -> None:
    home = tmp_path / "i"
    run(home, files=FILES)
    (home / "current" / "conf" / "broker.p").write_text("edited\n")
    (home / "current" / "bin" / "start.sh").unlink()
    again = run(home, files=FILES)
    assert again["files"] == ["bin/start.sh", "conf/broker.p"]
    assert (home / "current" / "conf" / "broker.p").read_text() == "a=1\n"


def test_only_the_newest_trees_are_kept(tmp_path: Path) -> None:
    home = tmp_path / "i"
    for number in range(5):
        run(home, files={"a": str(number)})
    (home / "trees" / ".new-left-by-a-kill").mkdir()
    run(home, files={"a": "last"})
    assert len(list((home / "trees").iterdir())) == 3


def test_another_clusters_directory_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "i"
    run(home, files=FILES)
    for state in ("present", "absent"):
        refused = run(home, files={}, owner_mark="other/instance", state=state)
        assert refused["failed"]
        assert "belongs to cluster/instance" in refused["msg"]
    assert (home / "current" / "conf" / "broker.p").exists()


def test_a_directory_with_something_else_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "i"
    home.mkdir()
    (home / "thesis.txt").write_text("mine")
    refused = run(home, files=FILES)
    assert refused["failed"]
    assert "thesis.txt" in refused["msg"]


@pytest.mark.parametrize("data", [True, False])
def test_absent_removes_what_was_made_and_data_only_when_told(tmp_path: Path, data: bool) -> None:
    home = tmp_path / "i"
    run(home, files=FILES)
    for name in ("data/commitlog", "logs", "run"):
        (home / name).mkdir(parents=True)
    (home / "notes.txt").write_text("an operator's own")

    def remove() -> dict[str, Any]:
        return run(home, state="absent", logs=str(home / "logs"), data=str(home / "data"), keep_data=not data)

    assert remove()["changed"]
    assert sorted(path.name for path in home.iterdir()) == (["notes.txt"] if data else ["data", "notes.txt"])
    assert not remove()["changed"]
