"""What every command does that changes a cluster: it is recorded, alone, and shows its steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rmqops.cli import output

if TYPE_CHECKING:
    from rmqops.cli.step_display import StepDisplay
    from rmqops.model.topology import Topology
    from rmqops.operations.change.audit import AuditEntry


@contextmanager
def changing(verb: str, topology: Topology) -> Iterator[tuple[StepDisplay, AuditEntry]]:
    """Record a run, hold the cluster's lock and show progress while the block runs.

    Raises:
        Unsafe: somebody else works on the cluster.
    """
    from rmqops.cli.step_display import steps
    from rmqops.operations.change import audit, lock

    try:
        with audit.recorded(verb, topology) as entry, lock.held(topology, verb), steps() as shown:
            yield shown, entry
    except KeyboardInterrupt:  # typer ends the command with 130, and says nothing
        output.note("interrupted; the same command goes on from here, and rmqops audit has the log")
        raise
