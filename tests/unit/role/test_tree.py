"""The module that puts an instance's files on a host, run as Ansible runs it: as a process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.support.modules import run_module

FILES = {"conf/broker.p": "a=1\n", "bin/start.sh": "#!/bin/sh\n"}


def run(home: Path, check: bool = False, diff: bool = False, **arguments: object) -> dict[str, Any]:
    given: dict[str, object] = {"path": str(home), "files": {}, "keep": 3}
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


def test_modes_that_somebody_or_a_umask_changed_are_mended(tmp_path: Path) -> None:
    home = tmp_path / "i"
    run(home, files=FILES)
    tree = (home / "current").resolve()
    for path, mode in ((tree / "conf", 0o700), (tree / "bin" / "start.sh", 0o600), (home / "trees", 0o700)):
        path.chmod(mode)
    assert run(home, files=FILES)["changed"]
    found = {str(path.relative_to(home)): path.stat().st_mode & 0o777 for path in home.rglob("*")}
    assert {mode for path, mode in found.items() if not path.endswith(".p")} == {0o755}
    assert not run(home, files=FILES)["changed"]
