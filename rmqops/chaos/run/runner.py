"""Run a drill: everything that is made before it, undone after it, and written about it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rmqops.chaos.history import run_record
from rmqops.chaos.history.format import FILE
from rmqops.chaos.report import ReportPaths, write_reports
from rmqops.chaos.report.result import Result, write_result
from rmqops.chaos.run.context import Request, Run, prepared, under_way
from rmqops.chaos.run.course import Course
from rmqops.chaos.run.due_checks import due_checks
from rmqops.chaos.run.environment import REAL, Environment
from rmqops.chaos.run.journal import JournalEntry, JournalState
from rmqops.chaos.verdicts.evaluate import CUT_SHORT, cut_short, evaluate
from rmqops.chaos.verdicts.verdict import Verdict
from rmqops.errors import EXIT_INTERRUPTED, HealFailed, RmqopsError
from rmqops.system.progress import Say

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Each ends a drill in order: Ctrl-C, an orderly kill, a terminal that closes."""


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
    """How the course ended."""

    problem: RmqopsError | None
    interrupted: bool
    """By Ctrl-C or a signal like it."""
    client: Mapping[str, str]
    """What the load said of its client."""

    @property
    def why(self) -> str | None:
        """Why it ended before its time; None when it did not."""
        return "interrupted" if self.interrupted else str(self.problem) if self.problem else None


def run(request: Request, say: Say, environment: Environment = REAL) -> Finished:
    """Run a drill to its end, heal what it did, and judge it.

    Args:
        request: What is wanted.
        say: Told of each step.
        environment: How hosts and brokers are reached.

    Raises:
        Unsafe: the guard refuses; no command was sent.
        PreflightFailed: the cluster is not in a steady state; nothing was touched.
        UsageError: the runs' directory cannot be made.
    """
    with (
        # 1 refuse, 2 lock, 3 ask the cluster and its hosts, 4 put the load's files on clients' hosts
        prepared(request, say, environment) as ready,
        # 5 the run's directory, its journal and its history
        under_way(request, ready, say, environment) as run,
    ):
        run.journal.write(JournalEntry("run", "intent", kind=run.drill.name, note=run.topology.cluster))
        due = due_checks(run.topology, run.drill)
        run.recorder.event(run_record.begin(run.now(), run.bounds.document(), due, run.subscriptions))
        # 6 topics, load, strikes, heals, read-back; 7 undo what is left, on every way out
        ended = environment.run(_perform(run))
        state: JournalState = "failed" if ended.problem or ended.interrupted else "done"
        run.journal.write(JournalEntry("run", state, note=str(ended.problem or "")))
        run.recorder.event(run_record.end(run.now(), ended.why))
    # 8 judge the history, 9 report
    return _judge(run, ended)


async def _perform(run: Run) -> _Ended:
    """Go through the course of a drill; on every way out, clean up."""
    course = Course(run)
    body = asyncio.ensure_future(course.perform())
    writing = asyncio.ensure_future(run.recorder.keep_flushing())
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        if not interrupted and not body.done():
            interrupted = True
            body.cancel()
            run.say("interrupted: healing and cleaning up first")
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
        problem = await _clean(course, problem)
        for number in SIGNALS:
            loop.remove_signal_handler(number)
        writing.cancel()
        problem = await _outcome(writing) or problem
    return _Ended(problem, interrupted, course.client)


async def _outcome(task: asyncio.Future[None]) -> RmqopsError | None:
    """Wait for a task and return its error of our tree; a cancelled one has none."""
    try:
        await task
    except asyncio.CancelledError:
        return None
    except RmqopsError as error:
        return error
    return None


async def _clean(course: Course, problem: RmqopsError | None) -> RmqopsError | None:
    try:
        await course.clean()
    except HealFailed as error:
        return error
    except RmqopsError as error:
        return problem or error
    return problem


def _judge(run: Run, ended: _Ended) -> Finished:
    verdicts = evaluate(run.directory / FILE, run.bounds)
    if ended.why and not any(note.startswith(CUT_SHORT) for note in verdicts.notes):
        verdicts = cut_short(verdicts, ended.why)  # its history could not be written to its end
    result = Result(
        drill=run.drill.name,
        inventory=", ".join(run.topology.sources) or run.topology.inventory,
        sources=run.topology.sources if len(run.topology.sources) > 1 else (),
        seed=run.request.seed,
        started=run.started.isoformat(timespec="milliseconds"),
        ended=datetime.now(UTC).isoformat(timespec="milliseconds"),
        verdicts=verdicts,
        settings=run.bounds.document(),
        version=run.topology.version,
        client=ended.client,
    )
    write_result(run.directory, result)
    return Finished(run.directory, result, write_reports(run.directory), ended.problem, ended.interrupted)
