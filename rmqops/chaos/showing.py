"""Run the drills of a suite, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from rmqops.chaos import drill, preflight, runner
from rmqops.chaos.drill import Drill
from rmqops.chaos.report import words
from rmqops.chaos.runner import Request, Say
from rmqops.chaos.suite import Outcome, Row, Suite
from rmqops.chaos.verdict import Verdict
from rmqops.errors import OperationFailed, PreflightFailed
from rmqops.operations import health
from rmqops.transport.base import transport_for


def perform(
    suite: Suite,
    request: Callable[[Drill], Request],
    say: Say,
    transports: preflight.Transports = transport_for,
) -> Iterator[Outcome]:
    """Yield what came of each row. A drill that fails or proves nothing does not end the suite.

    Args:
        suite: The rows.
        request: Makes a drill into one against the cluster.
        say: Told of each step.
        transports: How hosts are reached.

    Raises:
        Unsafe: the guard refuses one of the drills; no command was sent.
        UsageError: a drill's target names nobody, or the runs' directory cannot be made.
    """
    requests = {row.drill: request(drill.find(row.drill)) for row in suite.rows}
    for wanted in requests.values():
        preflight.permit(wanted.topology, wanted.drill, wanted.typed)
    refused: dict[str, str] = {}
    for name, wanted in requests.items():
        try:
            clients = preflight.addresses(wanted.topology, wanted.drill.load, transports)
            preflight.possible(wanted.topology, wanted.drill, transports, clients)
        except PreflightFailed as error:
            refused[name] = " ".join(filter(None, [error.message, error.detail]))
            say(f"{name} is left out: {refused[name]}")
    interrupted = False
    for row in suite.rows:
        if row.drill in refused:
            yield Outcome(row, None, refused[row.drill])
        elif not interrupted:
            say(f"{row.row}: {row.claim}")
            outcome = _try(row, requests[row.drill], say, transports)
            interrupted = outcome.interrupted
            yield outcome


def _try(row: Row, wanted: Request, say: Say, transports: preflight.Transports) -> Outcome:
    try:
        with suppress(OperationFailed):  # the drill itself refuses a cluster that is ill, and says why
            health.wait(wanted.topology)
        done = runner.run(wanted, say, transports)
    except PreflightFailed as error:
        return Outcome(row, Verdict.INCONCLUSIVE, error.message)
    except KeyboardInterrupt:  # before the drill began, or after it had cleaned up: what came before is still told
        return Outcome(row, None, "interrupted", interrupted=True)
    return Outcome(row, done.verdict, words.reason(done.result), str(done.run), done.interrupted)
