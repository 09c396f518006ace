"""A process that faults are put in force on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from rmqops.chaos.mechanisms import deadman
from rmqops.model.commands import Command
from rmqops.model.topology import Instance
from tests.support.here import alive, must
from tests.support.instances import instance, make_scripts


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Instance]:
    """A running instance in a directory whose name needs quoting."""
    made = instance("broker-a-0", tmp_path / "it's a home")
    make_scripts(made)
    must(Command((f"{made.home}/current/bin/start.sh",)))
    yield made
    must(deadman.disarm(made, "f-1"))
    if (pid := alive(made)) is not None:
        os.killpg(pid, signal.SIGKILL)
