"""Texts of others are shown and never obeyed, on a terminal, off it and in JSON; and there is no other way out."""

from __future__ import annotations

import ast
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rmqops.cli
from rmqops.chaos.verdicts.verdict import Verdict
from rmqops.cli import app, output, standard_streams, verdicts
from rmqops.errors import Unsafe
from tests.support.drill import result
from tests.support.scripted_fleet import ScriptedFleet

HOSTILE = [
    "[/x]",
    "[bold]x[/bold] [link=http://evil]y",
    ":smile: \\[/x]",
    "\x1b]0;owned\x07\x1b[2J\x9b31m",
    "eve\u202egnp.exe\u200b\u2066",
    "two\nlines\r\x08\x7f\u2028",
    "\ud800 alone",
]
"""Names that any client may give to a topic or a group."""

TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(), max_size=20),
    st.text(st.sampled_from("[]/\\=:b \x1b\x07\x9b\u202e\ud800\n\r\t"), max_size=20),
)
_OWN = re.compile(r"\x1b\[[0-9;]*m|\r\x1b\[2K|\n")
"""What rich draws, and the line that moves."""


class Terminal(io.StringIO):
    """A stream that says it is a terminal, or not."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def _shown(write: Callable[[], None], terminal: bool) -> str:
    with pytest.MonkeyPatch.context() as patch:
        both = Terminal(terminal)
        patch.setattr("sys.stdout", both)
        patch.setattr("sys.stderr", both)
        write()
    return both.getvalue()


WRITERS: dict[str, Callable[[str], None]] = {
    "result": output.result,
    "result line": output.result_line,
    "note": output.note,
    "file": output.result_file,
    "moving line": output.moving_line,
    "error": lambda text: output.error(Unsafe(text, remedy=text, detail=text)),
    "title": lambda text: output.table(text, ["a"], [["b"]]),
    "column": lambda text: output.table("", [text], [["b"]]),
    "cell": lambda text: output.table("", ["a"], [[text]]),
    "styled cell": lambda text: output.table("", ["a"], [[output.Styled(text, "red")]]),
    "stderr": lambda text: output.table("", ["a"], [[text]], stderr=True),
    "verdict": lambda text: verdicts.show(result(Verdict.PASS, Verdict.FAIL, text=text)),
}


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=40, deadline=None)
@given(text=TEXTS)
def test_no_text_does_anything_to_a_terminal(name: str, terminal: bool, text: str) -> None:
    said = _OWN.sub("", _shown(lambda: WRITERS[name](text), terminal))
    assert all(each.isprintable() or each == "\t" for each in said)


@pytest.mark.parametrize("name", ["result", "note", "error", "cell", "styled cell"])
@given(text=st.text(st.sampled_from("[]/\\=:bold"), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None)
def test_no_text_is_markup(name: str, text: str) -> None:
    assert text in _OWN.sub("", _shown(lambda: WRITERS[name](text), False))


@given(text=TEXTS)
def test_a_line_of_an_answer_is_one_line(text: str) -> None:
    assert _shown(lambda: output.result(text), False).count("\n") == 1


@given(value=st.recursive(TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=5))
def test_json_is_ascii_and_has_the_text_as_it_is(value: object) -> None:
    said = _shown(lambda: output.result_json([value]), True)
    assert json.loads(said) == [value]
    line = json.dumps(value, ensure_ascii=False)
    told = _shown(lambda: output.result_json_line(line), True)
    assert json.loads(told) == value
    assert all(" " <= each <= "~" or each == "\n" for each in said + told)


@given(
    text=st.text(st.characters(), max_size=30), encoding=st.sampled_from(["ascii", "latin-1", "cp1252", "utf-16"])
)
def test_what_an_encoding_lacks_is_told_in_ascii(text: str, encoding: str) -> None:
    standard_streams.register()
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=standard_streams.LEGIBLE)
    stream.write(f"→ {text}")
    stream.flush()
    assert stream.buffer.getvalue().decode(encoding).startswith("→ " if encoding == "utf-16" else "-> ")


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[ScriptedFleet]:
    """A fleet whose topics and groups have such names."""
    with ScriptedFleet(tmp_path) as made:
        made.deploy()
        for broker in made.topology.brokers:
            each = made.instances[broker.name]
            each.topics |= {name: {"perm": 6, "readQueueNums": 1, "writeQueueNums": 1} for name in HOSTILE}
            each.groups = {name: {"groupName": name} for name in HOSTILE}
            each.consumed = {(group, topic, 0): 0 for group in HOSTILE for topic in HOSTILE}
        yield made


@pytest.mark.parametrize(
    "line", ["topic list --all", "group list --all", "group describe", "topic describe", "status"]
)
def test_names_of_a_cluster_are_shown(
    hostile: ScriptedFleet, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in HOSTILE if line.endswith("describe") else [""]:
        argv = [*line.split(), *([name] if name else []), "--inventory", hostile.topology.inventory]
        code = app.run(argv)
        said = capsys.readouterr()
        assert code == (2 if "\ud800" in name else 0), said
        assert all(each.isprintable() or each in "\n\t" for each in said.out + said.err)
        if "topic list" in line:
            assert len([row for row in said.out.splitlines() if "two\\nlines" in row]) == 1
            assert "[bold]x[/bold] [link=http://evil]y" in said.out
        assert app.run([*argv, "--json"]) == code
        if not code:
            document = capsys.readouterr().out
            assert json.loads(document)
            assert document.isascii()


def _modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in Path(str(rmqops.cli.__file__)).parent.rglob("*.py"):
        yield path, ast.parse(path.read_text("utf-8"))


DRAWING = {"output.py", "verdicts.py", "build_display.py"}
"""Modules that make something with rich."""


def test_nothing_is_printed_but_through_the_module_that_shows_it() -> None:
    """A command that prints by itself, or takes text for markup, would let others write on the terminal."""
    for path, tree in _modules():
        if path.name in {"output.py", "standard_streams.py"}:
            continue
        for node in ast.walk(tree):
            words = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Name) else ""
            assert words not in {
                "print", "typer.echo", "typer.secho", "sys.stdout.write", "sys.stderr.write", "sys.stdout.buffer",
                "os.write", "Text.from_markup", "Text.from_ansi", "Console",
            }, f"{path}: {words}"  # fmt: skip
            if isinstance(node, ast.ImportFrom | ast.Import):
                names = (
                    [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
                )
                assert path.name in DRAWING or not any(name.split(".")[0] == "rich" for name in names), path
                assert "rich.markup" not in names, path
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert "\x1b" not in node.value, path


def test_a_console_takes_no_text_for_markup() -> None:
    console = output.console(io.StringIO(), terminal=False)
    console.print("[bold]x[/bold] :smile:")
    assert console.file.getvalue() == "[bold]x[/bold] :smile:\n"  # type: ignore[attr-defined]
