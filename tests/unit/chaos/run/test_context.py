"""What must be true before a drill: the order in which it is asked, and that all who ask refuse the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.chaos.bench import BenchRequest
from rmqops.chaos.load.clients.drivers import Driver, Native
from rmqops.chaos.load.hosts.place import Place, ThisMachine
from rmqops.chaos.load.settings import Load
from rmqops.chaos.run.context import Request, prepared, refuse, rehearsed, survey, under_way
from rmqops.chaos.run.due_checks import due_checks
from rmqops.chaos.run.journal import DRILL
from rmqops.errors import PreflightFailed, RmqopsError, Unsafe, UsageError
from rmqops.model.commands import Command
from rmqops.model.topology import Client, Instance, Reachable
from rmqops.operations.logbook import state_directory
from rmqops.transport.fake import FakeTransport
from tests.support.instances import topology
from tests.support.scripted_cluster import ScriptedCluster
from tests.support.scripted_drills import Trial, of

MASTER = ("kill", "master")
Change = Callable[[Request], Request]
REFUSED: dict[str, tuple[Change, type[RmqopsError], str]] = {
    "a cluster that is nobody's": (
        lambda request: replace(request, topology=replace(request.topology, drillable=False)),
        Unsafe,
        "is not marked as drillable",
    ),
    "another cluster's name": (lambda request: replace(request, typed="other"), Unsafe, "'other' that was named"),
    "a majority": (
        lambda request: replace(request, drill=of(("kill", "majority"))),
        Unsafe,
        "would go too far",
    ),
    "a target that is nobody": (
        lambda request: replace(request, drill=of(("kill", "broker-x"))),
        UsageError,
        "no instance 'broker-x'",
    ),
    "reads of one group": (
        lambda request: replace(request, drill=of(MASTER, expects="reads")),
        PreflightFailed,
        "needs two groups of mode master-slave",
    ),
    "no hosts for the load": (
        lambda request: replace(request, drill=of(MASTER).changed(load={"where": "clients"})),
        PreflightFailed,
        "hosts of the group clients",
    ),
    "consumers without a queue": (
        lambda request: replace(request, drill=of(MASTER).changed(load={"driver": "java", "consumers": 5})),
        PreflightFailed,
        "5 consumers of one group share the 4 queues",
    ),
}
"""What needs no network: a change of a request that may run, and how it is refused."""


@pytest.mark.parametrize(
    ("load", "seconds"),
    [
        ({}, 60),
        ({"driver": "java"}, 90),
        ({"driver": "java", "client": {"pollNameServerInterval": 1000, "heartbeatBrokerInterval": 5000}}, 36),
    ],
)
def test_how_long_a_consumer_may_need_follows_its_client(
    load: dict[str, object], seconds: float, tmp_path: Path
) -> None:
    drill = of(MASTER).changed(load=load)
    assert Request(topology(), drill, tmp_path, seed=1).bounds.catch_up == seconds
    assert ("committed" in due_checks(topology(), drill)) is ("driver" in load), (
        "a native consumer commits nothing"
    )


@pytest.mark.parametrize("name", REFUSED)
def test_what_needs_no_network_is_refused_by_everybody_before_anybody_is_asked(trial: Trial, name: str) -> None:
    change, error, why = REFUSED[name]
    request, environment = change(trial.request(of(MASTER))), trial.cluster.environment()

    def asked(instance: Instance, *_: object) -> None:
        raise AssertionError(f"{instance.name} was asked")

    trial.cluster.asked = asked
    with pytest.raises(error, match=why) as by_all:
        refuse(request)
    with pytest.raises(error) as by_run, prepared(request, trial.say, environment):
        pass
    with pytest.raises(error) as by_dry_run:
        rehearsed(request, environment)
    assert str(by_all.value) == str(by_run.value) == str(by_dry_run.value)
    assert (trial.cluster.commands, trial.said, trial.runs.exists()) == ([], [], False)
    assert not (state_directory() / "locks").exists(), "no lock either"


def test_a_drill_waits_for_nobody_who_works_on_the_cluster(trial: Trial) -> None:
    trial.cluster.locked = True
    with (
        pytest.raises(Unsafe, match="somebody works on cluster trial: somebody else"),
        prepared(trial.request(of(MASTER)), trial.say, trial.cluster.environment()),
    ):
        pass
    assert (trial.cluster.commands, trial.runs.exists()) == ([], False)


def ill(cluster: ScriptedCluster) -> None:
    cluster.dead.add("broker-a-2")


def struck(cluster: ScriptedCluster) -> None:
    cluster.armed["other-1-1"] = cluster.topology.instance("broker-a-1")


def impossible(cluster: ScriptedCluster) -> None:
    cluster.failing.add("requires")


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (ill, "is not healthy, so a drill would prove nothing"),
        (struck, "runs elsewhere or has left something behind"),
        (impossible, "the fault kill is not possible on trial"),
    ],
)
def test_a_rehearsal_refuses_what_a_run_refuses(
    trial: Trial, script: Callable[[ScriptedCluster], None], why: str
) -> None:
    script(trial.cluster)
    request, environment = trial.request(of(MASTER)), trial.cluster.environment()
    with pytest.raises(PreflightFailed, match=why) as by_run, prepared(request, trial.say, environment):
        pass
    with pytest.raises(PreflightFailed) as by_dry_run:
        rehearsed(request, environment)
    assert (str(by_run.value), by_run.value.detail) == (str(by_dry_run.value), by_dry_run.value.detail)
    assert {"arm", "inject"}.isdisjoint(step for step, _ in trial.cluster.commands)
    assert not trial.runs.exists()


def test_a_survey_refuses_what_is_not_possible_there(trial: Trial) -> None:
    impossible(trial.cluster)
    with pytest.raises(PreflightFailed, match="not possible"):
        survey(trial.request(of(MASTER)), trial.cluster.environment())


def test_a_drill_that_runs_keeps_others_out_before_they_ask_anybody(trial: Trial) -> None:
    request, environment = trial.request(of(MASTER)), trial.cluster.environment()
    with prepared(request, trial.say, environment):
        before = list(trial.cluster.commands)
        with pytest.raises(PreflightFailed, match="is running already"), prepared(request, print, environment):
            pass
        assert trial.cluster.commands == before
        assert rehearsed(request, environment).probed, "a rehearsal touches nothing, so it need not wait"
    with prepared(request, trial.say, environment):
        pass


def test_the_stages_come_in_one_order(trial: Trial) -> None:
    asked: list[str] = []
    trial.cluster.asked = lambda _instance, _request: asked.append("status")
    trial.cluster.before = lambda step, _instance: asked.append(step)

    def here(driver: Driver) -> Place:
        asked.append("places")
        return ThisMachine(driver)

    environment = replace(trial.cluster.environment(), here=here)
    with prepared(trial.request(of(MASTER)), trial.say, environment) as ready:
        assert list(dict.fromkeys(asked)) == ["status", "armed", "requires", "places"]
        assert ready.survey.driver == Native()
        assert ready.survey.clients == ("127.0.0.1",)
        assert [probed.aim.instance.name for probed in ready.survey.probed] == [
            "broker-a-0",
            "broker-a-1",
            "broker-a-2",
        ]
        assert {probed.output for probed in ready.survey.probed} == {"42"}
    assert trial.said == ["steady state: the cluster is healthy"]


class ClientHost:
    """A client's host with Python, that lacks the load's files."""

    def __init__(self) -> None:
        self.transport = FakeTransport(self._answer, "c1")

    def _answer(self, command: Command) -> tuple[int, str]:
        if "route get" in command.argv[2]:
            return 0, "10.0.9.1\n"
        return 0, "user root\npython /usr/bin/python3\nversion 3.11\n"


def test_a_survey_puts_nothing_on_clients_hosts(tmp_path: Path) -> None:
    machine = Client("c1", "10.0.9.1", "ssh", {"rocketmq_base_dir": "/opt/rocketmq"})
    cluster = ScriptedCluster(replace(topology(nameservers=1), clients=(machine,)))
    host = ClientHost()

    def transports(reached: Reachable) -> FakeTransport:
        return host.transport if reached == machine else cluster.transport(reached)

    trial = Trial(cluster, tmp_path / "runs")
    request = trial.request(of(MASTER).changed(load={"where": "clients"}))
    answers = rehearsed(request, replace(cluster.environment(), transports=transports))
    assert answers.clients == ("10.0.9.1",)
    assert [(each.client, len(each.missing)) for each in answers.client_hosts] == [(machine, 1)]
    assert host.transport.files == {}
    assert all("mkdir" not in command.argv[2] for command in host.transport.commands)


def test_a_bench_goes_through_the_same_stages(trial: Trial) -> None:
    request = BenchRequest(trial.cluster.topology, Load(rate=0), 1)
    with prepared(request, trial.say, trial.cluster.environment()) as ready:
        assert ready.survey.probed == ()
    ill(trial.cluster)
    with (
        pytest.raises(PreflightFailed, match="not healthy"),
        prepared(request, trial.say, trial.cluster.environment()),
    ):
        pass
    nobodys = replace(request, topology=replace(request.topology, drillable=False))
    with pytest.raises(Unsafe), prepared(nobodys, trial.say, trial.cluster.environment()):
        pass


def test_a_run_has_a_directory_with_its_drill(trial: Trial) -> None:
    request, environment = trial.request(of(MASTER)), trial.cluster.environment()
    with (
        prepared(request, trial.say, environment) as ready,
        under_way(request, ready, trial.say, environment) as run,
    ):
        assert (run.directory / DRILL).read_text() == request.drill.yaml()
        assert run.topics == (f"rmqops-drill-{run.name}",)
        assert run.name.endswith("Z-trial")
        assert run.now() == 0
    assert trial.said[-1] == f"run {run.directory}"


def test_runs_that_have_no_place_are_a_mistake_of_the_caller(trial: Trial) -> None:
    trial.runs.write_text("a file")
    with pytest.raises(UsageError, match="cannot be made"):
        trial.run(of(MASTER))
    assert trial.cluster.untouched
