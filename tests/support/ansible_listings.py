"""``ansible-inventory --list`` many times: Ansible is started once, and a copy of it answers each question.

Its settings are read when it starts, so ``ansible.cfg`` and the environment are the same for all questions.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from rmqops.errors import InventoryError, Problem
from rmqops.operations.ansible_inventory.asking import SETTINGS, Answer
from rmqops.operations.ansible_inventory.sources import InventoryFiles

_SERVER = """
import gc, json, os, sys
from ansible.cli.inventory import InventoryCLI
from ansible.plugins.loader import init_plugin_loader, inventory_loader

def ask(question, sink):
    os.dup2(os.open(sink, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
    os.chdir(question["directory"])
    try:
        InventoryCLI(["ansible-inventory", *(f"--inventory={x}" for x in question["sources"]), "--list"]).run()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        code = 4
    else:
        code = 1
    sys.stdout.flush()
    return code

out = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
init_plugin_loader()
for name in ("host_list", "script", "auto", "yaml", "ini", "toml"):
    inventory_loader.get(name)  # imported once, for all
gc.collect(); gc.freeze()
print("ready", file=out, flush=True)
for line in sys.stdin:
    question = json.loads(line)
    child = os.fork()
    if not child:
        os._exit(ask(question, question["answer"]))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=out, flush=True)
"""


@dataclass
class Listings:
    """Answers of Ansible, and how many were asked for."""

    process: subprocess.Popen[str]
    answer: Path
    asked: int = field(default=0)

    def ask(self, files: InventoryFiles) -> Answer:
        """Answer as ``asking.ask`` does; what Ansible cannot read is an error without its reasons."""
        listing = self.listing(files.sources)
        if listing is None:
            raise InventoryError([Problem(files.sources[0], None, None, "", "cannot be read", "Mend it")])
        return Answer(listing)

    def listing(self, sources: tuple[str, ...]) -> dict[str, Any] | None:
        """Return what Ansible lists from where we stand; None where it fails."""
        self.asked += 1
        question = {"answer": str(self.answer), "directory": str(Path.cwd()), "sources": sources}
        stdin, stdout = cast("IO[str]", self.process.stdin), cast("IO[str]", self.process.stdout)
        stdin.write(json.dumps(question) + "\n")
        stdin.flush()
        code = int(stdout.readline())
        return cast("dict[str, Any]", json.loads(self.answer.read_text("utf-8"))) if code == 0 else None


@contextmanager
def started(directory: Path) -> Iterator[Listings]:
    """Start Ansible, which keeps its answers in a directory, and end it."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **SETTINGS, "LC_ALL": "C.UTF-8"},
        text=True,
    )
    with process:
        assert cast("IO[str]", process.stdout).readline() == "ready\n"
        yield Listings(process, directory / "listing.json")
        cast("IO[str]", process.stdin).close()
