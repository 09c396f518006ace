"""The official Java client as a process beside a test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def official(distribution: Path, servers: Sequence[str], home: Path, topic: str) -> Iterator[Callable[[], Any]]:
    """Run ``official_load.py`` once its first message has been sent; what is given returns its next answer."""
    script = Path(__file__).with_name("official_load.py")
    with (home / "stderr.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(script), str(distribution), ";".join(servers), str(home), topic],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    answers = (json.loads(line) for line in process.stdout if line[:1] in '[{"')
    asking = process.stdin

    def ask() -> Any:
        asking.write("\n")
        asking.flush()
        return next(answers)

    try:
        assert next(answers) == "ready"
        yield ask
    finally:
        process.kill()
        process.communicate()
