"""What every command does that changes a cluster: ask a person, show the steps, and say what an end means."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from rmqops.cli import output
from rmqops.errors import Unsafe
from rmqops.system.interruption import is_interruption

if TYPE_CHECKING:
    from rmqops.model.topology import Topology
    from rmqops.operations.change.recipe import ChangePlan, Completed, Verb

P = TypeVar("P", bound="ChangePlan")
R = TypeVar("R")


def perform(
    verb: Verb[P, R], show: Callable[[P], None], confirm: Callable[[P], None] | None = None
) -> Completed[P, R]:
    """Carry a verb out by the recipe (:mod:`rmqops.operations.change.recipe`), its progress on standard error.

    Args:
        verb: The change.
        show: Shows a plan that has something in it.
        confirm: Asks a person, and raises ``Unsafe`` unless the plan is confirmed; None for a change that needs no
            question, or was confirmed on the command line.

    Raises:
        Unsafe: it must not be done, was not confirmed, or somebody else works on the cluster.
    """
    from rmqops.cli.step_display import steps
    from rmqops.operations.change import recipe

    try:
        with steps() as display:
            consent = recipe.Consent(show, confirm)
            return recipe.perform(verb, consent, listener=display.listen, say=display.say)
    except BaseException as error:
        if is_interruption(error):  # typer ends the command with 130, and says nothing
            output.note("interrupted; the same command goes on from here, and rmqops audit has the log")
        raise


def go_on(_plan: object) -> None:
    """Ask whether to go on.

    Raises:
        Unsafe: no, or there is nobody to ask.
    """
    if not output.confirm("Go on?"):
        raise Unsafe("not confirmed; nothing was touched", remedy="answer y, or give --yes")


def refuse_other_name(topology: Topology, typed: str, does: str) -> None:
    """Refuse unless the cluster's name was typed.

    Args:
        topology: The cluster.
        typed: What was.
        does: What the command does to it, such as ``removes``.

    Raises:
        Unsafe: another was.
    """
    if typed != topology.cluster:
        raise Unsafe(
            f"this {does} cluster {topology.cluster}, and the name given was {typed!r}",
            remedy=f"type the cluster's name, or give --confirm {topology.cluster}",
        )


def show_nothing(_plan: object) -> None:
    """Show nothing of a plan that says no more than the command line did."""
