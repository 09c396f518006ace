"""Run a drill: everything that is made before it, undone after it, and written about it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rmqops.chaos.drill import Drill
from rmqops.chaos.history.format import FILE
from rmqops.chaos.history.recorder import Recorder
from rmqops.chaos.load.clients.drivers import Driver
from rmqops.chaos.load.hosts.place import Place
from rmqops.chaos.report import ReportPaths, write_reports
from rmqops.chaos.report.result import Result, write_result
from rmqops.chaos.run import preflight
from rmqops.chaos.run.course import Course
from rmqops.chaos.run.journal import Journal, JournalEntry
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evaluate import evaluate
from rmqops.chaos.verdicts.verdict import Verdict, Verdicts
from rmqops.errors import EXIT_INTERRUPTED, HealFailed, RmqopsError, UsageError
from rmqops.model.topology import Topology
from rmqops.system import event_loop
from rmqops.transport.base import transport_for

Say = Callable[[str], None]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Each ends a drill in order: Ctrl-C, an orderly kill, a terminal that closes."""

DRILL = "drill.yml"
"""In a run's directory: the drill as it was run, the command line's changes included."""


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
    def settings(self) -> Bounds:
        """The checks' own."""
        return Bounds(
            rto_limit=self.drill.limits.rto,
            uneven_limit=self.drill.limits.uneven,
            keys=self.drill.load.keys,
            from_slaves=self.drill.load.from_slaves,
        )


@dataclass(frozen=True)
class Finished:
    """A drill that has ended, one way or another."""

    run: Path
    result: Result
    reports: ReportPaths | None
    problem: RmqopsError | None = None
    """What ended it early."""
    interrupted: bool = False

    @property
    def verdict(self) -> Verdict:
        """Return the word for the drill; a heal that failed counts, though the history may not know of it."""
        if isinstance(self.problem, HealFailed) and self.result.verdict is not Verdict.FAIL:
            return Verdict.HEAL_FAILED
        return self.result.verdict

    @property
    def exit_code(self) -> int:
        """Return the exit code of the contract: that a fault may still be in force outweighs an interruption."""
        healed = not isinstance(self.problem, HealFailed)
        return EXIT_INTERRUPTED if self.interrupted and healed else self.verdict.exit_code


@dataclass(frozen=True)
class _Ended:
    """How the phases ended."""

    problem: RmqopsError | None
    interrupted: bool
    """By Ctrl-C or a signal like it."""
    client: Mapping[str, str]
    """What the load said of its client."""


def run(request: Request, say: Say, transports: preflight.Transports = transport_for) -> Finished:
    """Run a drill to its end, heal what it did, and judge it.

    Args:
        request: What is wanted.
        say: Told of each step.
        transports: How hosts are reached.

    Raises:
        Unsafe: the guard refuses; no command was sent.
        PreflightFailed: the cluster is not in a steady state; nothing was touched.
        UsageError: the runs' directory cannot be made.
    """
    preflight.permit(request.topology, request.drill, request.typed)
    preflight.place(request.topology, request.drill.load)
    with preflight.exclusive(request.topology):
        preflight.steady(request.topology, transports)
        clients = preflight.addresses(request.topology, request.drill.load, transports)
        driver = preflight.driver(request.topology, request.drill.load)
        preflight.possible(request.topology, request.drill, transports, clients)
        places = preflight.prepare_client_hosts(request.topology, request.drill.load, transports, say)
        say("steady state: the cluster is healthy")
        directory, started = _directory(request)
        say(f"run {directory}")
        (directory / DRILL).write_text(request.drill.yaml(), encoding="utf-8")
        with Journal(directory) as journal, Recorder(directory) as recorder:
            journal.write(JournalEntry("run", "intent", kind=request.drill.name, note=request.topology.cluster))
            ended = event_loop.run(_perform(request, journal, recorder, transports, say, driver, clients, places))
            problem, interrupted = ended.problem, ended.interrupted
            journal.write(
                JournalEntry("run", "failed" if problem or interrupted else "done", note=str(problem or ""))
            )
    return _judge(request, directory, started, ended)


async def _perform(
    request: Request,
    journal: Journal,
    recorder: Recorder,
    transports: preflight.Transports,
    say: Say,
    driver: Driver,
    clients: tuple[str, ...],
    places: tuple[Place, ...],
) -> _Ended:
    """Go through the phases; on every way out, clean up."""
    phases = Course(
        request.topology,
        request.drill,
        request.settings,
        run=journal.path.parent.name,
        seed=request.seed,
        keep_topic=request.keep_topic,
        journal=journal,
        recorder=recorder,
        transports=transports,
        say=say,
        driver=driver,
        clients=clients,
        places=places,
    )
    body = asyncio.ensure_future(phases.perform())
    writing = asyncio.ensure_future(recorder.keep_flushing())
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        if not interrupted and not body.done():
            interrupted = True
            body.cancel()
            say("interrupted: healing and cleaning up first")
        interrupted = True

    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, interrupt)
    problem: RmqopsError | None = None
    try:
        # A history that cannot be written ends the drill as well.
        await asyncio.wait([body, writing], return_when=asyncio.FIRST_COMPLETED)
        body.cancel()
        problem = await _outcome(body)
    finally:
        problem = await _clean(phases, problem)
        for number in SIGNALS:
            loop.remove_signal_handler(number)
        writing.cancel()
        problem = await _outcome(writing) or problem
    return _Ended(problem, interrupted, phases.client)


async def _outcome(task: asyncio.Future[None]) -> RmqopsError | None:
    """Wait for a task and return its error of our tree; a cancelled one has none."""
    try:
        await task
    except asyncio.CancelledError:
        return None
    except RmqopsError as error:
        return error
    return None


async def _clean(phases: Course, problem: RmqopsError | None) -> RmqopsError | None:
    try:
        await phases.clean()
    except HealFailed as error:
        return error
    except RmqopsError as error:
        return problem or error
    return problem


def _directory(request: Request) -> tuple[Path, datetime]:
    """Make the run's directory, ``<UTC>-<drill>``."""
    while True:
        started = datetime.now(UTC)
        directory = request.runs / f"{started:%Y%m%dT%H%M%SZ}-{request.drill.name}"
        try:
            directory.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(
                f"{directory} cannot be made: {error.strerror}", remedy="name another directory with --runs"
            ) from error
        return directory, started


def _judge(request: Request, directory: Path, started: datetime, ended: _Ended) -> Finished:
    problem, interrupted = ended.problem, ended.interrupted
    verdicts = evaluate(directory / FILE, request.settings)
    why = "interrupted" if interrupted else str(problem) if problem else None
    result = Result(
        drill=request.drill.name,
        inventory=request.topology.inventory,
        seed=request.seed,
        started=started.isoformat(timespec="milliseconds"),
        ended=datetime.now(UTC).isoformat(timespec="milliseconds"),
        verdicts=_cut_short(verdicts, why) if why else verdicts,
        settings=request.settings.document(),
        version=request.topology.version,
        client=ended.client,
    )
    write_result(directory, result)
    return Finished(directory, result, write_reports(directory), problem, interrupted)


def _cut_short(verdicts: Verdicts, why: str) -> Verdicts:
    """Return the verdicts of a drill that did not come to its end: never a pass, and the reason with them."""
    word = Verdict.INCONCLUSIVE if verdicts.overall is Verdict.PASS else verdicts.overall
    return replace(verdicts, overall=word, notes=(*verdicts.notes, f"the drill was cut short: {why}"))
