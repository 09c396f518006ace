"""How a command line ends: by its answer, by an error of ours, or because somebody ended it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmqops.cli import app

ENDINGS = {
    "answer": "return 3",
    "nothing": "return None",
    "refuse": "from rmqops.errors import Unsafe; raise Unsafe('no', remedy='do not')",
    "interrupt": "raise KeyboardInterrupt",
    "cancel": "import asyncio; raise asyncio.CancelledError",
    "abort": "import typer; raise typer.Abort",
    "crash": "raise ZeroDivisionError",
    "file": "open('/proc/self/absent')",
    "full": "import errno; raise OSError(errno.ENOSPC, 'No space left on device')",
}


@pytest.fixture(autouse=True)
def _commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have commands that end in each way."""
    package = tmp_path / "endings"
    package.mkdir()
    (package / "__init__.py").touch()
    for name, body in ENDINGS.items():
        (package / f"{name}.py").write_text(f"def command():\n    {body}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(app.LazyGroup, "package", "endings")


@pytest.mark.parametrize(
    ("name", "code"),
    [("answer", 3), ("nothing", 0), ("refuse", 5), ("interrupt", 130), ("cancel", 130), ("abort", 130)],
)
def test_each_end_has_its_exit_code(name: str, code: int) -> None:
    assert app.run([name]) == code


def test_an_error_of_ours_is_told_with_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    app.run(["refuse"])
    shown = capsys.readouterr()
    assert (shown.out, "error: no" in shown.err, "do not" in shown.err) == ("", True, True)


@pytest.mark.parametrize(
    ("name", "told"),
    [("file", "/proc/self/absent: No such file or directory"), ("full", "No space left on device")],
)
def test_what_the_machine_refuses_is_told(name: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run([name]) == 1
    assert told in capsys.readouterr().err


def test_a_wrong_command_line_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["nobody-knows-this"]) == 2
    assert app.run(["answer", "--nor-this"]) == 2
    assert capsys.readouterr().out == ""


def test_an_error_of_nobodys_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        app.run(["crash"])
