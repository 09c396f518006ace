"""Run the drills of a suite, one after the other, each on the first cluster that can show its claim."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from rmqops.chaos import drill
from rmqops.chaos.drill import Drill
from rmqops.chaos.report import words
from rmqops.chaos.report.result import Result
from rmqops.chaos.run import preflight, runner
from rmqops.chaos.run.runner import Request, Say
from rmqops.chaos.suite.model import Claim, ClaimOutcome, Suite
from rmqops.chaos.verdicts.verdict import Verdict
from rmqops.errors import OperationFailed, PreflightFailed, RmqopsError, Unsafe, UsageError
from rmqops.operations.observe import health
from rmqops.transport.base import transport_for

RequestFor = Callable[[Drill], Request]
"""Makes a drill into one against a cluster."""


def perform(
    suite: Suite, clusters: Sequence[RequestFor], say: Say, transports: preflight.Transports = transport_for
) -> Iterator[ClaimOutcome]:
    """Yield what came of each row. A drill that fails or proves nothing does not end the suite.

    A drill that shows several claims on one cluster is run once.

    Args:
        suite: The rows.
        clusters: Where they may be shown, the preferred one first.
        say: Told of each step.
        transports: How hosts are reached.

    Raises:
        Unsafe: the guard refuses one of the drills on every cluster; no command was sent.
        UsageError: the runs' directory cannot be made.
    """
    asked = dict.fromkeys((row.drill, row.release) for row in suite.rows)
    permitted = {one: _permitted(*one, clusters) for one in asked}
    chosen = {one: _choose(*found, transports) for one, found in permitted.items()}
    for (name, _), found in chosen.items():
        if isinstance(found, str):
            say(f"{name} is left out: {found}")
    done: dict[tuple[str, str], tuple[ClaimOutcome, Result | None]] = {}
    interrupted = False
    for row in suite.rows:
        wanted = chosen[row.drill, row.release]
        if isinstance(wanted, str):
            yield ClaimOutcome(row, None, wanted)
        elif not interrupted:
            key = (row.drill, str(wanted.topology.inventory))
            if key not in done:
                say(f"{row.row}: {row.claim}")
                done[key] = _try(row, wanted, say, transports)
            outcome, result = done[key]
            yield replace(outcome, row=row, measured=outcome.measured if result is None else _seen(row, result))
            interrupted = outcome.interrupted


def _permitted(name: str, release: str | None, clusters: Sequence[RequestFor]) -> tuple[list[Request], list[str]]:
    """Return the drill against each cluster where it is permitted, and why it is not elsewhere; sends nothing."""
    found, refused = [], []
    for cluster in clusters:
        wanted = cluster(drill.find(name))
        try:
            if release and wanted.topology.version != release:
                raise PreflightFailed(
                    f"{wanted.topology.cluster} is {wanted.topology.version}, and the claim is about {release}"
                )
            preflight.permit(wanted.topology, wanted.drill, wanted.typed)
        except (PreflightFailed, Unsafe, UsageError) as error:
            refused.append(error)
        else:
            found.append(wanted)
    unsafe = next((error for error in refused if isinstance(error, Unsafe)), None)
    if unsafe is not None and not found:
        raise unsafe
    return found, [_told(error) for error in refused]


def _choose(
    requests: Sequence[Request], reasons: Sequence[str], transports: preflight.Transports
) -> Request | str:
    """Return the drill against the first cluster on which it is possible; else why it is on none."""
    refused = list(reasons)
    for wanted in requests:
        try:
            preflight.place(wanted.topology, wanted.drill.load)
            clients = preflight.addresses(wanted.topology, wanted.drill.load, transports)
            preflight.possible(wanted.topology, wanted.drill, transports, clients)
        except PreflightFailed as error:
            refused.append(_told(error))
        else:
            return wanted
    return "; ".join(dict.fromkeys(refused))


def _told(error: RmqopsError) -> str:
    return " ".join(filter(None, [error.message, error.detail]))


def _seen(row: Claim, result: Result) -> str:
    """Say what was seen of a claim: the finding of its check, where the drill passed."""
    found = next((one.summary for one in result.verdicts.results if one.name == row.check), None)
    if found is None or result.verdicts.overall is not Verdict.PASS:
        return words.reason(result)
    return f"{found[0].upper()}{found[1:]}."


def _try(
    row: Claim, wanted: Request, say: Say, transports: preflight.Transports
) -> tuple[ClaimOutcome, Result | None]:
    try:
        with suppress(OperationFailed):  # the drill itself refuses a cluster that is ill, and says why
            health.wait(wanted.topology)
        done = runner.run(wanted, say, transports)
    except PreflightFailed as error:
        return ClaimOutcome(row, Verdict.INCONCLUSIVE, error.message, cluster=wanted.topology.cluster), None
    except KeyboardInterrupt:  # before the drill began, or after it had cleaned up: what came before is still told
        return ClaimOutcome(row, None, "interrupted", interrupted=True), None
    outcome = ClaimOutcome(row, done.verdict, "", str(done.run), wanted.topology.cluster, done.interrupted)
    return outcome, done.result
