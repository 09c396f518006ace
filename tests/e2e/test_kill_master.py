"""The drill kill-master against a real cluster: its verdict, and that nothing is left behind whatever happens."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from rmqops.chaos import drill as drills
from rmqops.chaos.load import settings
from rmqops.chaos.run import heal, journal, runner
from rmqops.chaos.run.context import Request
from rmqops.chaos.run.environment import Environment
from rmqops.chaos.verdicts.verdict import Verdict
from rmqops.errors import HealFailed
from rmqops.model.commands import Command, Result
from rmqops.model.topology import Reachable
from rmqops.operations.observe import health
from rmqops.operations.topics import topics
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.transport.local import LocalTransport
from tests.support.clusters import Cluster
from tests.support.drilling import SHORT, STRUCK, drill, findings, the_run, victim
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("quiet")]

DEADLINE = 15


@pytest.fixture(autouse=True)
def _healthy(request: pytest.FixtureRequest) -> Iterator[None]:
    """End each test with a healthy cluster in which nothing is armed; it begins with one."""
    used = request.getfixturevalue("cluster") if "cluster" in request.fixturenames else None
    yield
    if used is not None:
        health.wait(used.topology)
        assert traces(used) == []


def traces(cluster: Cluster) -> list[str]:
    """Return what a drill has left behind: armed heals, their processes, processes of the load."""
    found = [f"{instance.name}: {fault} armed" for instance, fault in heal.armed(cluster.topology)]
    found += [str(path) for path in cluster.base.glob("instances/*/heals")]
    marks = (f"-Drmqops.heal={cluster.base}".encode(), b"rmqops.chaos.load.clients.native")
    mine = cluster.topology.nameservers[0].address.encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if marks[0] in line or (marks[1] in line and mine in line):
            found.append(line.replace(b"\0", b" ").decode()[:200])
    return found


def drill_topics(cluster: Cluster) -> set[str]:
    """Return every topic of a drill that a NameServer or a broker still has."""
    return asyncio.run(_drill_topics(cluster))


async def _drill_topics(cluster: Cluster) -> set[str]:
    found: set[str] = set()
    async with Client() as client:
        admin = Admin(client)
        for server in cluster.topology.nameservers:
            found |= await admin.topics(server.address)
        for broker in cluster.topology.brokers:
            found |= set(await admin.topic_configs(broker.address))
    return {topic for topic in found if topic.startswith(topics.DRILL_PREFIX)}


def test_a_drill_passes_and_its_history_agrees(cluster: Cluster, tmp_path: Path) -> None:
    """Several in a row: tests/soak/drills.py."""
    passes_and_agrees(cluster, tmp_path)


def passes_and_agrees(cluster: Cluster, runs: Path) -> None:
    done = cluster.rmqops("chaos", "run", "kill-master", "--runs", str(runs), "--json", *SHORT)
    assert done.code == 0, f"{findings(runs)}\n{done.stderr}"
    run = the_run(runs)
    assert {path.name for path in run.iterdir()} == {
        "drill.yml", "history.jsonl", "journal.jsonl", "result.json", "report.html", "junit.xml"
    }  # fmt: skip
    result = json.loads((run / "result.json").read_text())
    assert json.loads(done.stdout) == {"run": str(run), **result}
    assert (result["verdict"], result["lost"], result["seed"]) == ("pass", 0, 7)
    assert result["acknowledged"] > 300
    assert result["rto_ms"] > 0
    assert result["checks"]["delivered"]["numbers"]["unread"] == 0
    assert "committed" not in result["checks"], "our own consumers commit nothing"
    (fault,) = result["faults"]
    assert fault["instance"] == victim(run)
    assert fault["injected_at"] < fault["verified_at"] < fault["healed_at"]
    assert cluster.rmqops("chaos", "heal", str(run)).stdout.endswith("nothing to heal\n")
    checked = cluster_free("chaos", "check", str(run))
    assert checked.returncode == 0, checked
    assert drill_topics(cluster) == set()


def cluster_free(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that needs no cluster."""
    return subprocess.run(
        [sys.executable, "-m", "rmqops", *arguments], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_drill_heals_and_cleans_up(
    cluster: Cluster, tmp_path: Path, number: signal.Signals
) -> None:
    with drill(cluster, tmp_path / "runs") as under_way:
        under_way.wait_for(STRUCK)
        # As a terminal does, to the commands that it runs as well; and once more while they heal.
        os.killpg(under_way.process.pid, number)
        under_way.wait_for("interrupted")
        journalled = the_run(tmp_path / "runs") / journal.FILE
        until(lambda: '"step": "heal", "state": "intent"' in journalled.read_text(), "a heal under way", 30)
        os.killpg(under_way.process.pid, number)
        code, told = under_way.end()
    assert code == 130, told
    run = the_run(tmp_path / "runs")
    assert cluster.pid(victim(run)) is not None, told
    assert traces(cluster) == []
    assert drill_topics(cluster) == set()
    result = json.loads((run / "result.json").read_text())
    assert result["verdict"] == "inconclusive"
    assert result["notes"] == ["the drill was cut short: interrupted"]
    assert result["faults"][0]["healed"]


def test_a_killed_drill_is_healed_by_the_host_itself(cluster: Cluster, tmp_path: Path) -> None:
    with drill(cluster, tmp_path / "runs", "--deadline", str(DEADLINE)) as under_way:
        under_way.wait_for(STRUCK)
        under_way.process.kill()
        run = the_run(tmp_path / "runs")
        struck = victim(run)
        assert cluster.pid(struck) is None
        until(lambda: cluster.pid(struck), f"{struck} alive again", DEADLINE + 5)
    until(lambda: not traces(cluster), "no traces", 90)
    assert len(drill_topics(cluster)) == 1, "nobody was left to delete it"
    health.wait(cluster.topology)
    assert "rmqops-drill" in cluster.must("chaos", "heal", str(run)).stdout
    assert drill_topics(cluster) == set()


@pytest.mark.parametrize("with_journal", [True, False])
def test_a_killed_drill_is_healed_at_once_on_request(cluster: Cluster, tmp_path: Path, with_journal: bool) -> None:
    with drill(cluster, tmp_path / "runs") as under_way:
        under_way.wait_for(STRUCK)
        under_way.process.kill()
    run = the_run(tmp_path / "runs")
    refused = cluster.rmqops("chaos", "run", "kill-master", "--runs", str(tmp_path / "more"), *SHORT)
    assert refused.code == 4, refused
    struck = victim(run)
    assert cluster.pid(struck) is None
    healed = cluster.must("chaos", "heal", *([str(run)] if with_journal else []))
    assert f"healed {run.name}-1-1 on {struck}" in healed.stdout
    assert cluster.pid(struck) is not None
    assert traces(cluster) == []
    assert "nothing to heal" in cluster.must("chaos", "heal").stdout
    health.wait(cluster.topology)
    cluster.must("chaos", "heal", str(run))


class Impaired(LocalTransport):
    """This machine, on which some commands do nothing and end with a certain code."""

    def __init__(self, impaired: Callable[[Command], bool], code: int) -> None:
        self.impaired = impaired
        self.code = code

    def run(self, command: Command) -> Result:
        return Result(command, self.code, "", "impaired") if self.impaired(command) else super().run(command)


def attempt(
    cluster: Cluster, runs: Path, impaired: Callable[[Command], bool], code: int
) -> tuple[runner.Finished, list[str]]:
    """Run the drill with an impaired transport."""
    told: list[str] = []
    short = drills.find("kill-master").changed(
        load=settings.Load(rate=30), times=drills.Times(before=1, hold=1, after=1, fail_over=20)
    )
    request = Request(cluster.topology, short, runs, seed=7)

    def transports(_: Reachable) -> LocalTransport:
        return Impaired(impaired, code)

    return runner.run(request, told.append, Environment(transports=transports)), told


def test_a_kill_that_does_not_bite_proves_nothing(cluster: Cluster, tmp_path: Path) -> None:
    done, told = attempt(cluster, tmp_path, lambda command: "KILL" in command.argv, 0)
    assert done.result.verdict is Verdict.INCONCLUSIVE, told
    assert done.exit_code == 6
    assert "did not bite" in str(done.problem)
    assert not done.result.verdicts.faults[0].verified
    assert drill_topics(cluster) == set()


def test_a_heal_that_fails_is_told_and_its_dead_man_stays(cluster: Cluster, tmp_path: Path) -> None:
    done, told = attempt(cluster, tmp_path, lambda command: command.argv[0].endswith("start.sh"), 1)
    assert isinstance(done.problem, HealFailed), told
    assert done.exit_code == 7
    assert done.result.verdicts.heal_failed
    assert [fault for _, fault in heal.armed(cluster.topology)] == [f"{done.run.name}-1-1"]
    cluster.must("chaos", "heal", str(done.run))


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--target", "majority"], 5),
        (["--target", "namesrv-1,namesrv-2,namesrv-3"], 5),
        (["--confirm", "another"], 5),
        (["--target", "nobody"], 2),
        (["--rate", "-1"], 2),
    ],
)
def test_a_drill_that_goes_too_far_is_refused(
    cluster: Cluster, tmp_path: Path, options: Sequence[str], code: int
) -> None:
    pids = {instance.name: cluster.pid(instance.name) for instance in cluster.topology.instances}
    runs = tmp_path / "runs"
    done = cluster.rmqops("chaos", "run", "kill-master", "--runs", str(runs), *options)
    assert done.code == code, done
    assert not runs.exists()
    assert pids == {instance.name: cluster.pid(instance.name) for instance in cluster.topology.instances}


def test_a_cluster_that_is_down_is_not_touched(make_cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    down = make_cluster()
    done = down.rmqops("chaos", "run", "kill-master", "--runs", str(tmp_path / "runs"))
    assert done.code == 4, done
    assert "does not answer" in done.stderr
    assert not (tmp_path / "runs").exists()
    assert not down.base.exists()
