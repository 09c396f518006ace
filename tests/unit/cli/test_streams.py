"""Any command line with any standard streams: no traceback, the exit code of the contract, JSON that is JSON."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmqops.chaos.verdicts.verdict import Verdict
from rmqops.cli.app import LazyGroup
from tests.support.drill import result, write_run
from tests.support.odd_streams import CRASHED, ForkServer, Streams

RMQOPS = [sys.executable, "-m", "rmqops"]
CONTRACT = {0, 1, 2, 3, 4, 5, 6, 7, 130}
KINDS = ["file", "terminal", "closed", "full", "broken"]
ENCODINGS = ["utf-8", "latin-1", "ascii", "cp1252", "utf-16", "shift_jis"]
STREAMS = st.builds(
    Streams,
    stdin=st.sampled_from(["file", "closed"]),
    stdout=st.sampled_from(KINDS),
    stderr=st.sampled_from(KINDS),
    encoding=st.sampled_from(ENCODINGS),
    columns=st.integers(20, 300),
)
HOSTILE = "[/x] [link=http://e]y \x1b]0;owned\x07\x1b[2J \u202eeve \ud800 → 中文"

RIGHT = [
    ["--version"],
    ["--help"],
    ["audit"],
    ["audit", "--json"],
    ["audit", "20260101T000000-exec"],
    ["build", "--patches"],
    ["build", "--patches", "--json"],
    ["chaos", "check", "run"],
    ["chaos", "check", "run", "--json"],
    ["chaos", "compare", "run", "run"],
    ["chaos", "compare", "run", "--html", "page.html"],
    ["chaos", "compare", "run", "--html", "/dev/full"],
    ["chaos", "compare", "run", "--html", "."],
    ["chaos", "compare", "run", "--json"],
    ["chaos", "history", "run"],
    ["chaos", "list"],
    ["chaos", "list", "--json"],
    ["chaos", "report", "run"],
    ["chaos", "report", "run", "--json"],
    ["chaos", "show", "kill-master"],
    ["chaos", "show", "kill-in-turn", "--seed", "1"],
    ["chaos", "show", "kill-in-turn", "--seed", "1", "--json"],
    ["chaos", "validate", "kill-master", "drill.yml", "absent.yml"],
    ["chaos", "validate", "kill-master", "drill.yml", "--json"],
    ["chaos", "validate", "--schema"],
    ["render", "-i", "local", "--out", "rendered"],
    ["render", "-i", "local", "--out", "/proc/rendered"],
    ["render", "-i", "local", "--json"],
    ["render", "-i", "local", "--host", "namesrv-1", "--file", "conf/namesrv.p"],
    ["render", "-i", "local", "--host", HOSTILE],
    ["size", "--qps", "1000", "--figures", "figures.json"],
    ["size", "--qps", "1000", "--figures", "figures.json", "--json"],
    ["size", "--qps", "1000", "--figures", "drill.yml"],
    ["validate", "-i", "local"],
    ["validate", "-i", "local", "--json"],
    ["validate", "-i", "prod"],
    ["validate", "-i", "hosts.yml"],
    ["validate", "-i", "hosts.yml", "--json"],
    ["validate", "-i", "binary"],
    ["validate", "-i", "/dev/null"],
    ["validate", "-i", ""],
    ["exec", "-i", "local"],
    [HOSTILE],
    ["chaos", HOSTILE],
    ["chaos", "show", HOSTILE],
    ["chaos", "check", HOSTILE],
    ["audit", HOSTILE],
    ["status", "-i", HOSTILE],
]
"""What needs no cluster and no host, right and wrong."""


def _leaves(group: LazyGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Name every command there is."""
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if isinstance(command, LazyGroup):
            yield from _leaves(command, (*path, name))
        else:
            yield (*path, name)


@cache
def lines() -> list[list[str]]:
    """Return every command line that is tried: those above, and each command wrongly and for its help.

    None of them does anything: an option that nobody knows, and an inventory that is not there.
    """
    wrong = [
        [*leaf, *rest]
        for leaf in _leaves(LazyGroup())
        for rest in (["--help"], ["--no-such-option", HOSTILE], ["--inventory", "absent.yml", "--no-such-option"])
    ]
    return RIGHT + wrong


@dataclass(frozen=True)
class Place:
    """Where command lines are run."""

    server: ForkServer
    directory: Path
    codes: dict[tuple[str, ...], int] = field(default_factory=dict, repr=False)
    """Those of command lines whose streams are as they should be."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Fill a directory with a run, an audit, and files that are wrong."""
    directory = tmp_path_factory.mktemp("odd")
    write_run(directory / "run", result(Verdict.PASS, Verdict.FAIL, text="[/x] \x1b[2J → \u202e"))
    (directory / "drill.yml").write_text("name: x\nname: [/y]\n")
    (directory / "hosts.yml").write_text('all: {vars: {"[/x] \\e[2J": 1}, hosts: {"[bold]\\u202e": {}}}\n')
    (directory / "binary").write_bytes(bytes(range(256)))
    share = {"group": "[/x]", "members": 3, "per_second": 900.0, "p50_ms": 1.0, "p99_ms": 2.0}
    (directory / "figures.json").write_text(json.dumps({"shares": [share], "size": 1024}))
    entry = dict.fromkeys(("verb", "cluster", "inventory", "who", "started", "log"), HOSTILE)
    audit = directory / "state" / "audit"
    audit.mkdir(parents=True)
    identity = "20260101T000000-exec"
    entry |= {"id": identity}
    (audit / f"{identity}.json").write_text(json.dumps({**entry, "argv": ["rmqops", HOSTILE], "plan": [HOSTILE]}))
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "TERM": "xterm",
        "RMQOPS_STATE": str(directory / "state"),
    }
    with ForkServer(directory, environ) as server:
        yield Place(server, directory)


def usual(place: Place, argv: Sequence[str]) -> int:
    """Return the exit code of a command line whose streams are as they should be."""
    if tuple(argv) not in place.codes:
        place.codes[tuple(argv)] = place.server.run(argv, Streams()).code
    return place.codes[tuple(argv)]


@settings(max_examples=60, deadline=None)
@given(data=st.data(), streams=STREAMS)
def test_a_command_ends_as_it_should_whatever_its_streams_are(
    place: Place, data: st.DataObject, streams: Streams
) -> None:
    hold(place, data.draw(st.sampled_from(lines())), streams)


def hold(place: Place, argv: Sequence[str], streams: Streams) -> None:
    """Hold a command line with some streams to what must be true of all of them."""
    ended = place.server.run(argv, streams)
    assert not ended.crash
    code = usual(place, argv)
    assert code in CONTRACT
    assert ended.code == code or (streams.stdout == "full" and ended.code == 1), ended
    read = [stream for stream in ("stdout", "stderr") if getattr(streams, stream) in {"file", "terminal"}]
    if code and len(read) == 2:
        assert ended.out or ended.err, "nobody was told"
    if "--json" in argv and streams.stdout == "file" and code in {0, 3}:
        json.loads(ended.out.decode(streams.encoding))
    for stream, said in (("stdout", ended.out), ("stderr", ended.err)):
        obeyed = _obeyed(said.decode(streams.encoding, "replace"))
        assert not obeyed, (stream, obeyed)


def _obeyed(text: str) -> str:
    """Return what a terminal would obey, less the colors and links of our own that rich draws."""
    own = re.sub(r"\x1b\[[0-9;]*m|\r\x1b\[2K|\r\n|\n|\t|\ufeff", "", text)
    return "".join(each for each in own if not each.isprintable() and each != "\ufffd")


@pytest.mark.parametrize("argv", RIGHT, ids=" ".join)
def test_these_end_as_the_contract_says(place: Place, argv: list[str]) -> None:
    ended = place.server.run(argv, Streams())
    assert not ended.crash
    assert ended.code in CONTRACT - {CRASHED}


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("validate -i local >&-", 0),
        ("LC_ALL=C validate -i local >/dev/full", 1),
        ("LC_ALL=xx_YY.none validate -i local >/dev/full 2>/dev/full", 1),
        ("PYTHONIOENCODING=ascii validate -i local 2>&- <&-", 0),
        ("LC_ALL=POSIX validate -i absent.yml >&- 2>&- <&-", 3),
        ("PYTHONIOENCODING=latin-1 --help >/dev/full", 1),
        ("PYTHONIOENCODING=cp1252 chaos list | true; exit ${PIPESTATUS[0]}", 0),
        ("chaos nothing 2> >(true)", 2),
    ],
)
def test_a_process_of_its_own_ends_the_same_also_as_python_ends(tmp_path: Path, line: str, code: int) -> None:
    *environ, words = re.match(r"(?:(\w+)=(\S+) )?(.*)", line).groups()  # type: ignore[union-attr]
    everything = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])}
    if environ[0]:
        everything[environ[0]] = environ[1]
    done = subprocess.run(
        ["bash", "-c", f"{shlex.join(RMQOPS)} {words}"],
        cwd=tmp_path,
        env=everything,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, b"Traceback" in done.stderr, b"Exception ignored" in done.stderr) == (
        code,
        False,
        False,
    )
