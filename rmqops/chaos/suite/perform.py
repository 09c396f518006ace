"""Run the drills of a suite, one after the other, each on the first cluster that can show its claim."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from rmqops.chaos import drill
from rmqops.chaos.drill import Drill
from rmqops.chaos.report import words
from rmqops.chaos.report.result import Result
from rmqops.chaos.run import context, runner
from rmqops.chaos.run.context import Request
from rmqops.chaos.run.environment import REAL, Environment
from rmqops.chaos.suite.model import Claim, ClaimOutcome, Suite
from rmqops.chaos.verdicts.verdict import Verdict
from rmqops.errors import OperationFailed, PreflightFailed, RmqopsError, Unsafe, UsageError
from rmqops.operations.observe import health, status
from rmqops.system.progress import Say

RequestFor = Callable[[Drill], Request]
"""Makes a drill into one against a cluster."""


def perform(
    suite: Suite, clusters: Sequence[RequestFor], say: Say, environment: Environment = REAL
) -> Iterator[ClaimOutcome]:
    """Yield what came of each row. A drill that fails or proves nothing does not end the suite.

    A drill that shows several claims on one cluster is run once.

    Args:
        suite: The rows.
        clusters: Where they may be shown, the preferred one first.
        say: Told of each step.
        environment: How hosts and brokers are reached.

    Raises:
        Unsafe: the guard refuses one of the drills on every cluster; no command was sent.
        UsageError: the runs' directory cannot be made.
    """
    drills = dict.fromkeys((row.drill, row.release) for row in suite.rows)
    permitted = {key: _permitted(*key, clusters) for key in drills}
    chosen = {key: _choose(*requests, environment) for key, requests in permitted.items()}
    for (name, _), choice in chosen.items():
        if isinstance(choice, str):
            say(f"{name} is left out: {choice}")
    done: dict[tuple[str, str], tuple[ClaimOutcome, Result | None]] = {}
    interrupted = False
    for row in suite.rows:
        choice = chosen[row.drill, row.release]
        if isinstance(choice, str):
            yield ClaimOutcome(row, None, choice)
        elif not interrupted:
            key = (row.drill, str(choice.topology.inventory))
            if key not in done:
                say(f"{row.row}: {row.claim}")
                done[key] = _try(row, choice, say, environment)
            outcome, result = done[key]
            measured = outcome.measured if result is None else _finding(row, result)
            yield replace(outcome, row=row, measured=measured)
            interrupted = outcome.interrupted


def _permitted(name: str, release: str | None, clusters: Sequence[RequestFor]) -> tuple[list[Request], list[str]]:
    """Return the drill against each cluster where it is not refused, and why it is elsewhere; sends nothing."""
    permitted: list[Request] = []
    refused: list[RmqopsError] = []
    for cluster in clusters:
        request = cluster(drill.find(name))
        try:
            if release and request.topology.version != release:
                raise PreflightFailed(
                    f"{request.topology.cluster} is {request.topology.version}, and the claim is about {release}"
                )
            context.refuse(request)
        except (PreflightFailed, Unsafe, UsageError) as error:
            refused.append(error)
        else:
            permitted.append(request)
    unsafe = next((error for error in refused if isinstance(error, Unsafe)), None)
    if unsafe is not None and not permitted:
        raise unsafe
    return permitted, [_sentence(error) for error in refused]


def _choose(requests: Sequence[Request], reasons: Sequence[str], environment: Environment) -> Request | str:
    """Return the drill against the first cluster on which it is possible; else why it is on none."""
    refused = list(reasons)
    for request in requests:
        try:
            context.survey(request, environment)
        except PreflightFailed as error:
            refused.append(_sentence(error))
        else:
            return request
    return "; ".join(dict.fromkeys(refused))


def _sentence(error: RmqopsError) -> str:
    return " ".join(filter(None, [error.message, error.detail]))


def _finding(row: Claim, result: Result) -> str:
    """Say what was seen of a claim: the finding of its check, where the drill passed."""
    summary = next((check.summary for check in result.verdicts.results if check.name == row.check), None)
    if summary is None or result.verdicts.overall is not Verdict.PASS:
        return words.reason(result)
    return f"{summary[0].upper()}{summary[1:]}."


def _try(row: Claim, request: Request, say: Say, environment: Environment) -> tuple[ClaimOutcome, Result | None]:
    try:
        with suppress(OperationFailed):  # the drill itself refuses a cluster that is ill, and says why
            health.wait(
                request.topology,
                look=partial(status.observe, clients=environment.clients),
                clock=environment.clock,
                pause=environment.pause,
            )
        finished = runner.run(request, say, environment)
    except (PreflightFailed, Unsafe) as error:  # it is not well, or somebody works on it
        return ClaimOutcome(row, Verdict.INCONCLUSIVE, error.message, cluster=request.topology.cluster), None
    except KeyboardInterrupt:  # before the drill began, or after it had cleaned up: what came before is still told
        return ClaimOutcome(row, None, "interrupted", interrupted=True), None
    outcome = ClaimOutcome(
        row, finished.verdict, "", str(finished.run), request.topology.cluster, finished.interrupted
    )
    return outcome, finished.result
