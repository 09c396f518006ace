"""A drill from what is wanted to what is under way, and the one order of what must be true before it.

========== =========================================== ==================================
stage      asks                                        for whom
========== =========================================== ==================================
refuse     nobody: two values are compared             everybody
lock       this machine, NameServers' machines: does   who touches the cluster
           anybody else work on it?
steady     NameServers, brokers, hosts: is all well?   who runs now, or says what a run does
survey     hosts: can it be done there?                everybody
files      clients' hosts, which are given them        who touches the cluster
========== =========================================== ==================================

:func:`prepared` is all of it, for ``chaos run`` and ``bench``; :func:`rehearsed` leaves out what changes
something, for ``--dry-run``. A suite chooses its clusters by :func:`refuse` and :func:`survey`, and waits for
health before each of its runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

from rmqops.chaos.drill import Drill, guard
from rmqops.chaos.history.recorder import Recorder
from rmqops.chaos.history.run_record import Subscription
from rmqops.chaos.load.clients.drivers import Driver
from rmqops.chaos.load.hosts.files import SurveyedHost
from rmqops.chaos.load.hosts.place import Place
from rmqops.chaos.load.roster import subscriptions
from rmqops.chaos.load.settings import Load
from rmqops.chaos.run import lock, placement, preflight
from rmqops.chaos.run.environment import Environment
from rmqops.chaos.run.journal import DRILL, Journal
from rmqops.chaos.run.preflight import Probed
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.errors import UsageError
from rmqops.model.topology import Topology
from rmqops.operations.change import lock as cluster_lock
from rmqops.operations.change.lock import Lock
from rmqops.operations.topics import topics
from rmqops.system.files import write_whole
from rmqops.system.progress import Say


class LoadRequest(Protocol):
    """A load that somebody wants against a cluster: of a drill, or of a bench."""

    @property
    def topology(self) -> Topology:
        """The cluster."""

    @property
    def load(self) -> Load:
        """What sends and receives."""

    @property
    def drill(self) -> Drill | None:
        """What is done to the cluster meanwhile."""

    @property
    def typed(self) -> str | None:
        """The cluster's name, if it was typed."""


@dataclass(frozen=True)
class Request:
    """A drill that somebody wants to run."""

    topology: Topology
    drill: Drill
    runs: Path
    """Where the run's directory is made."""
    seed: int
    typed: str | None = None
    """The cluster's name, if it was typed."""
    keep_topic: bool = False

    @property
    def load(self) -> Load:
        """What sends and receives."""
        return self.drill.load

    @property
    def bounds(self) -> Bounds:
        """What the checks go by.

        The official client finds a new master when it polls the route, is let in by its next heartbeat, and shares
        queues anew every 20 s (``RebalanceService``); 10 s more are for whatever else.
        """
        client = self.drill.load.client
        polled = 30 + (client.poll + client.heartbeat) / 1000
        return Bounds(
            catch_up=polled if self.drill.load.driver == "java" else Bounds().catch_up,
            rto_limit=self.drill.limits.rto,
            uneven_limit=self.drill.limits.uneven,
            keys=self.drill.load.keys,
            from_slaves=self.drill.load.from_slaves,
        )


@dataclass(frozen=True)
class Survey:
    """What a request can count on, found out without a change."""

    driver: Driver
    """Starts the load's processes on this machine."""
    clients: tuple[str, ...]
    """Addresses from which the load reaches the cluster."""
    probed: tuple[Probed, ...]
    """Every fault on every instance that it may strike."""
    client_hosts: tuple[SurveyedHost, ...]
    """What the clients' hosts lack; none where the load runs on this machine."""


@dataclass(frozen=True)
class Ready:
    """What was made ready for a request."""

    survey: Survey
    places: tuple[Place, ...]
    """Where the load runs, by turns."""
    lock: Lock
    """The cluster's, held meanwhile: to be made sure of before each strike."""


def refuse(request: LoadRequest) -> None:
    """Refuse what cannot be, asking nobody.

    Raises:
        Unsafe: the cluster may not be drilled, or the drill takes more than it declares.
        PreflightFailed: the cluster lacks what the drill or its load is about.
        UsageError: a target names nobody.
    """
    guard.permit(request.topology, request.typed)
    if request.drill is not None:
        preflight.limit(request.topology, request.drill)
        preflight.fits(request.topology, request.drill)
    placement.refuse(request.topology, request.load)


def survey(request: LoadRequest, environment: Environment) -> Survey:
    """Find out, changing nothing, whether hosts can do what is wanted; :func:`refuse` comes first.

    Raises:
        PreflightFailed: they cannot, or this machine cannot; says who and why.
        OperationFailed: a client's host cannot be asked.
        SourceError: our classes do not compile.
    """
    topology, load, transports = request.topology, request.load, environment.transports
    driver = placement.driver(topology, load)
    clients = placement.addresses(topology, load, transports)
    drill = request.drill
    probed = () if drill is None else preflight.possible(topology, drill, transports, clients)
    return Survey(driver, clients, probed, placement.client_hosts(topology, load, transports))


def rehearsed(request: LoadRequest, environment: Environment) -> Survey:
    """Refuse whatever :func:`prepared` refuses, and change nothing; no lock is held, so a drill may be running.

    Raises:
        RmqopsError: as :func:`prepared`, but for a drill that runs and for what is put on clients' hosts.
    """
    refuse(request)
    preflight.steady(request.topology, environment)
    return survey(request, environment)


@contextmanager
def prepared(request: LoadRequest, say: Say, environment: Environment) -> Iterator[Ready]:
    """Make everything ready, and keep others from the cluster while the block runs, drills and changes alike.

    Raises:
        Unsafe: the guard refuses, and no command was sent; or somebody works on the cluster.
        PreflightFailed: a drill is running, the cluster is not in a steady state, or it cannot be done there;
            nothing was touched.
        OperationFailed, SourceError, UsageError: as :func:`survey`, :func:`refuse`.
    """
    refuse(request)
    what = f"chaos run {request.drill.name}" if request.drill is not None else "bench"
    with (
        lock.exclusive(request.topology),
        cluster_lock.held(request.topology, what, environment.transports) as ours,
    ):
        preflight.steady(request.topology, environment)
        answers = survey(request, environment)
        say("steady state: the cluster is healthy")
        yield Ready(answers, placement.places(answers.client_hosts, answers.driver, environment, say), ours)


@dataclass(frozen=True)
class Run:
    """A drill under way: what is wanted, what is ready for it, and where it is written down what happens."""

    request: Request
    ready: Ready
    directory: Path
    started: datetime
    journal: Journal
    recorder: Recorder
    say: Say
    environment: Environment

    @property
    def name(self) -> str:
        """The run's name, which begins the ids of its faults and is part of its topics'."""
        return self.directory.name

    @property
    def topology(self) -> Topology:
        """The cluster."""
        return self.request.topology

    @property
    def drill(self) -> Drill:
        """What is done to it."""
        return self.request.drill

    @cached_property
    def bounds(self) -> Bounds:
        """What the checks go by; two clocks may differ by twice what each is known to."""
        return replace(self.request.bounds, clock_error=2 * max(place.clock_error for place in self.ready.places))

    @cached_property
    def topics(self) -> tuple[str, ...]:
        """The drill's own topics."""
        return topics.of_drill(self.name, self.drill.load.topics)

    @cached_property
    def subscriptions(self) -> dict[str, Subscription]:
        """What each consumer of the load reads, by its name."""
        return subscriptions(self.drill.load, self.topics, shares=self.ready.survey.driver.shares)

    def now(self) -> float:
        """Return seconds since the history's start."""
        return self.recorder.now()


@contextmanager
def under_way(request: Request, ready: Ready, say: Say, environment: Environment) -> Iterator[Run]:
    """Make a run's directory, with the drill in it, and keep its journal and its history open meanwhile.

    Raises:
        UsageError: the directory cannot be made.
    """
    directory, started = _directory(request)
    say(f"run {directory}")
    write_whole(directory / DRILL, request.drill.yaml(), mode=0o600)
    with environment.journal(directory) as journal, Recorder(directory, environment.clock) as recorder:
        yield Run(request, ready, directory, started, journal, recorder, say, environment)


def _directory(request: Request) -> tuple[Path, datetime]:
    """Make the run's directory, ``<UTC>-<drill>``."""
    while True:
        started = datetime.now(UTC)
        directory = request.runs / f"{started:%Y%m%dT%H%M%SZ}-{request.drill.name}"
        try:
            request.runs.mkdir(parents=True, exist_ok=True)
            directory.mkdir(mode=0o700)
        except OSError as error:
            if isinstance(error, FileExistsError) and directory.exists():
                continue  # that of a drill which began in the same second
            raise UsageError(
                f"{directory} cannot be made: {error.strerror}", remedy="name another directory with --runs"
            ) from error
        return directory, started
