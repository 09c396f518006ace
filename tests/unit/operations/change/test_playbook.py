"""What ansible-playbook is given; it is a script here."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmqops.model.secret import Secret
from rmqops.operations.change import playbook
from rmqops.transport import privilege

RECORDER = """#!/bin/sh
printf '%s\\n' "$@" > "$OUT/argv"
env > "$OUT/environment"
while [ $# -gt 0 ]; do
  if [ "$1" = --become-password-file ]; then
    cat "$2" > "$OUT/password"
    stat -c %a "$2" > "$OUT/mode"
    echo "$2" > "$OUT/file"
  fi
  shift
done
"""


def test_the_password_for_sudo_travels_in_a_private_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ansible-playbook"
    program.write_text(RECORDER)
    program.chmod(0o755)
    monkeypatch.setenv("OUT", str(tmp_path))
    monkeypatch.setattr(playbook, "_program", lambda: str(program))
    monkeypatch.setattr(privilege, "_asked", [Secret("s3cret")])
    log = tmp_path / "log"
    playbook.run("site", "inventory", log=log, listener=lambda _: None)
    assert (tmp_path / "password").read_text() == "s3cret\n"
    assert (tmp_path / "mode").read_text() == "600\n"
    assert not Path((tmp_path / "file").read_text().strip()).exists()
    seen = [tmp_path / name for name in ("argv", "environment", "log")]
    assert all("s3cret" not in file.read_text() for file in seen)
    assert "BatchMode=yes -o StrictHostKeyChecking=yes" in (tmp_path / "environment").read_text()


def test_without_a_password_there_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ansible-playbook"
    program.write_text(RECORDER)
    program.chmod(0o755)
    monkeypatch.setenv("OUT", str(tmp_path))
    monkeypatch.setattr(playbook, "_program", lambda: str(program))
    monkeypatch.setattr(privilege, "_asked", [])
    playbook.run("site", "inventory", log=tmp_path / "log", listener=lambda _: None)
    assert "become" not in (tmp_path / "argv").read_text()
