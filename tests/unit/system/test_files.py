"""Files are written whole or not at all, where one says; private ones are nobody else's."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from rmqops.errors import OperationFailed
from rmqops.system import files


def test_a_file_is_replaced_whole_and_what_utf_8_cannot_say_is_a_question_mark(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("before")
    files.write_whole(file, "a \ud800 b")
    assert file.read_text("utf-8") == "a ? b"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "name", [".", "directory", "absent/file", "file/below", "loop", "/proc/rmqops", "x" * 300]
)
@pytest.mark.parametrize("write", [files.write_whole, files.write_named])
def test_where_no_file_can_be_made_is_told_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, write: type
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    if name == "loop" and write is files.write_whole:
        return  # it replaces links, whose ends it has nothing to do with
    with pytest.raises(OperationFailed, match="could not be written"):
        write(Path(name), "text")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["directory", "file", "loop"]


def test_what_a_person_named_is_written_through_links_and_into_pipes(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    files.write_named(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "text"
    os.mkfifo(tmp_path / "pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    files.write_named(tmp_path / "pipe", "text")
    reader.join(60)
    assert read == ["text"]
    assert (tmp_path / "pipe").is_fifo()
    with pytest.raises(OperationFailed, match="No space left"):
        files.write_named(Path("/dev/full"), "text")
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_private_file_is_private_from_the_start_and_again(tmp_path: Path, umask: int) -> None:
    old = tmp_path / "old"
    old.touch()
    old.chmod(0o666)
    before = os.umask(umask)
    try:
        for path in (tmp_path / "new", old):
            with files.append_private(path) as stream:
                stream.write(b"a")
            with files.append_private(path) as stream:
                stream.write(b"b")
            assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"ab", 0o600)
    finally:
        os.umask(before)
