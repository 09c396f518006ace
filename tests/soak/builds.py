"""Real builds that are killed, and two at once.

``tests/unit/source/test_building.py`` shows the same with a Maven that costs nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.test_build import WHOLE, read_until, start

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


@pytest.mark.usefixtures("rocketmq_home")
def test_a_killed_build_then_two_at_once_offline(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    killed = start(cache, "--offline", "--json")
    read_until(killed, "compiling rocketmq-remoting")
    killed.kill()
    killed.communicate(timeout=60)
    half = cache / "work"
    assert list(half.iterdir())
    assert not list((cache / "artifacts").iterdir())
    assert not list((cache / "records").iterdir())

    both = [start(cache, "--offline", "--json") for _ in range(2)]
    said = [process.communicate(timeout=WHOLE) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    answers = [json.loads(out) for out, _ in said]
    assert sorted(answer["compiled"] for answer in answers) == [False, True]
    assert answers[0]["sha256"] == answers[1]["sha256"]
    assert any("waiting for" in err for _, err in said)
    assert not half.exists()
    assert len(list((cache / "artifacts").iterdir())) == 1
