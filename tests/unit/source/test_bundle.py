"""Archives that depend on content alone."""

from __future__ import annotations

import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from rmqops.errors import SourceError
from rmqops.source.bundle import pack, unpack, unpack_source


def tree(root: Path, names: list[str]) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (root / "bin").mkdir(exist_ok=True)
    (root / "bin" / "run").write_text("#!/bin/sh\n")
    (root / "bin" / "run").chmod(0o700)
    (root / "link").symlink_to("bin/run")
    return root


def test_order_times_and_modes_of_the_files_do_not_show(tmp_path: Path) -> None:
    first = tree(tmp_path / "first", ["b", "a/2", "a/1"])
    second = tree(tmp_path / "second", ["a/1", "a/2", "b"])
    os.utime(second / "b", (1, 1))
    (second / "b").chmod(0o600)
    (second / "a").chmod(0o700)
    pack(first, "top", tmp_path / "first.tar.gz")
    pack(second, "top", tmp_path / "second.tar.gz")
    assert (tmp_path / "first.tar.gz").read_bytes() == (tmp_path / "second.tar.gz").read_bytes()


def test_content_shows(tmp_path: Path) -> None:
    first = tree(tmp_path / "first", ["a"])
    second = tree(tmp_path / "second", ["a"])
    (second / "a").write_text("other")
    pack(first, "top", tmp_path / "first.tar.gz")
    pack(second, "top", tmp_path / "second.tar.gz")
    assert (tmp_path / "first.tar.gz").read_bytes() != (tmp_path / "second.tar.gz").read_bytes()


def test_an_archive_is_owned_by_root_and_has_one_top(tmp_path: Path) -> None:
    pack(tree(tmp_path / "from", ["a/1"]), "rocketmq-1", tmp_path / "out.tar.gz")
    with tarfile.open(tmp_path / "out.tar.gz") as archive:
        entries = archive.getmembers()
    assert [entry.name for entry in entries] == sorted(entry.name for entry in entries)
    assert {entry.name.split("/")[0] for entry in entries} == {"rocketmq-1"}
    assert {(entry.uid, entry.gid, entry.uname) for entry in entries} == {(0, 0, "root")}
    assert next(entry.mode for entry in entries if entry.name.endswith("/run")) == 0o755


def test_what_was_packed_comes_out(tmp_path: Path) -> None:
    pack(tree(tmp_path / "from", ["a/1"]), "top", tmp_path / "out.tar.gz")
    unpack(tmp_path / "out.tar.gz", tmp_path / "to")
    assert (tmp_path / "to/a/1").read_text() == "a/1"
    assert (tmp_path / "to/bin/run").stat().st_mode & 0o111
    assert (tmp_path / "to/link").readlink() == Path("bin/run")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["from", "out.tar.gz", "to"]


def test_a_torn_archive_is_refused(tmp_path: Path) -> None:
    pack(tree(tmp_path / "from", ["a/1"]), "top", tmp_path / "out.tar.gz")
    whole = (tmp_path / "out.tar.gz").read_bytes()
    (tmp_path / "out.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="cannot be unpacked"):
        unpack(tmp_path / "out.tar.gz", tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_a_source_zip_gives_its_project(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "source.zip", "w") as archive:
        archive.writestr("rocketmq-all-1/pom.xml", "")
        archive.writestr("rocketmq-all-1/store/pom.xml", "")
    assert unpack_source(tmp_path / "source.zip", tmp_path / "to") == tmp_path / "to/rocketmq-all-1"


def test_a_zip_without_a_project_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "source.zip", "w") as archive:
        archive.writestr("readme", "")
    with pytest.raises(SourceError, match="0 Maven projects"):
        unpack_source(tmp_path / "source.zip", tmp_path / "to")


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "source.zip").write_text("no zip")
    with pytest.raises(SourceError, match="not a whole zip"):
        unpack_source(tmp_path / "source.zip", tmp_path / "to")
