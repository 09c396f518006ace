"""What hosts say is shown by ``exec``, never obeyed; and who stops reading ends it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from rmqops.cli import app
from tests.support.clusters import dledger_inventory

SAID = "\x1b]0;owned\x07\x1b[2J[/x] \u202eeve\ta"
SHOWN = "\\x1b]0;owned\\x07\\x1b[2J[/x] \\u202eeve\ta"


@pytest.fixture
def inventory(tmp_path: Path) -> str:
    """Describe a cluster on this machine; nothing of it is there."""
    path = tmp_path / "hosts.yml"
    path.write_text(yaml.safe_dump(dledger_inventory(tmp_path / "srv", 1024, "4.5.2")))
    return str(path)


@pytest.fixture
def run(inventory: str, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command on its host; return the exit code and what was written on the two outputs."""

    def made(*words: str) -> tuple[int, str, str]:
        options = ["--json"] if words[0] == "--json" else []
        code = app.run(["exec", "-i", inventory, *options, "--", *words[len(options) :]])
        written = capsys.readouterr()
        return code, written.out, written.err

    return made


def test_what_a_host_says_is_shown(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = run("printf", "%s\n", SAID)
    assert (code, out.partition(" | ")[2]) == (0, f"{SHOWN}\n")
    code, out, _ = run("--json", "printf", "%s\n", SAID)
    assert json.loads(out)[0]["output"] == [SAID], "there it is as it came"
    code, out, err = run("[/x]\x1b[2J")
    assert (code, "[/x]" in out + err, "\x1b" in out + err) == (1, True, False)


def test_who_stops_reading_ends_the_command(inventory: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "rmqops", "exec", "-i", inventory, "--", "sh", "-c", "while :; do echo x; done"]
    done = subprocess.run(
        ["bash", "-c", f"{shlex.join(words)} | head -n 1; exit ${{PIPESTATUS[0]}}"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.partition(" | ")[2]) == (1, "x\n")
    assert "the command was ended on its hosts" in done.stderr
