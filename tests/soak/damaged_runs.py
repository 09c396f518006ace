"""Runs that were damaged: every command that reads one says so, or reads it, and never ends in a traceback.

``CASES=5000 pytest tests/soak/damaged_runs.py``; by default some minutes.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from rmqops.chaos import drill as drills
from rmqops.chaos.report.result_reading import read_result
from rmqops.chaos.run import heal, journal
from rmqops.cli import app
from rmqops.errors import RmqopsError
from tests.support import damage
from tests.support.instances import topology
from tests.support.scripted_cluster import ScriptedCluster
from tests.support.scripted_drills import Trial, of

FILES = ("result.json", "history.jsonl", "journal.jsonl", "drill.yml")
CONTRACT = {0, 1, 2, 3, 4, 5, 6, 7}
COMMANDS = (["check"], ["check", "--json"], ["report"], ["compare"], ["compare", "--json"], ["history"])


def heal_from(run: Path) -> object:
    scripted = ScriptedCluster(topology(nameservers=1))
    return heal.heal(scripted.topology, run, scripted.environment())


def replay(run: Path) -> object:
    return read_result(run), drills.find(str(run / "drill.yml"))


READERS: dict[str, Callable[[Path], object]] = {"replay": replay, "journal": journal.read, "heal": heal_from}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run as a drill leaves it."""
    directory = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RMQOPS_STATE", str(directory / "state"))
        trial = Trial(ScriptedCluster(topology(nameservers=1)), directory / "runs")
        trial.run(of(("kill", "master")))
        yield trial.directory


def damaged(whole: Path, place: Path, draw: Random) -> Path:
    """Return a copy of a run with one or two of its files damaged."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(whole, place)
    for name in draw.sample(FILES, draw.choice([1, 1, 2])):
        file = place / name
        content = file.read_bytes()
        if draw.randrange(20) == 0:
            content = draw.choice([b"", b"\n", b"\0" * 4096, draw.randbytes(1000), b"null", b"[]", b"{}", b"0"])
        elif name.endswith(".jsonl"):
            content = damage.damaged_lines(content, draw)
        elif draw.randrange(3) == 0 or name.endswith(".yml"):
            kind = draw.randrange(2)
            text = damage.spoilt_text(content.decode(), draw).encode("utf-8", "surrogatepass")
            content = text if kind else damage.spoilt_bytes(content, draw)
        else:
            content = damage.spoilt_document(json.loads(content), draw).encode()
        file.write_bytes(content)
    return place


def told(arguments: list[str]) -> tuple[int, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = app.run(arguments)
    return code, out.getvalue() + err.getvalue()


@pytest.mark.timeout(7200)
def test_no_command_ends_in_a_traceback(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMQOPS_STATE", str(tmp_path / "state"))
    codes: Counter[str] = Counter()
    failures = []
    for seed in range(damage.cases(1000)):
        draw = Random(seed)
        run = damaged(whole, tmp_path / "run", draw)
        for words in COMMANDS:
            try:
                code, said = told(["chaos", words[0], str(run), *words[1:]])
                codes[f"{words[0]} {code}"] += 1
                if code not in CONTRACT or "Traceback" in said:
                    failures.append(f"{seed} {words}: {code} {said[-300:]}")
            except Exception as error:
                failures.append(f"{seed} {words}: {type(error).__name__}: {str(error)[:300]}")
        for what, read in READERS.items():
            drills.find.cache_clear()
            try:
                read(run)
                codes[f"{what} read"] += 1
            except RmqopsError as error:
                codes[f"{what} {error.exit_code}"] += 1
            except Exception as error:
                failures.append(f"{seed} {what}: {type(error).__name__}: {str(error)[:300]}")
    sys.stdout.write(f"{sorted(codes.items())}\n")
    kinds = {failure.partition(" ")[2][:90]: failure for failure in reversed(failures)}
    assert not failures, f"{len(failures)} of {sum(codes.values())}:\n" + "\n".join(kinds.values())
