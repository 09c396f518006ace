"""What chaos run and chaos replay have in common: asking for the cluster's name, progress, the verdict shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rmqops.cli import host_access, output

if TYPE_CHECKING:
    from collections.abc import Callable

    from rmqops.chaos.drill import Drill
    from rmqops.model.topology import Topology


def run(
    topology: Topology,
    drill: Drill,
    runs: Path,
    *,
    seed: int | None,
    confirm: str | None,
    keep_topic: bool,
    accept_new_host_keys: bool,
    ask_become_pass: bool,
    json: bool,
) -> int:
    """Run a drill, show what came of it, and return the exit code."""
    from rmqops.chaos.run import runner
    from rmqops.chaos.run.context import Request, refuse
    from rmqops.cli import verdicts

    typed = confirmed(topology, confirm)
    request = Request(
        topology, drill, runs, chosen_seed() if seed is None else seed, typed=typed, keep_topic=keep_topic
    )
    refuse(request)  # before the first connection, and before anybody is asked about a host's key
    prepare(topology, drill, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass)
    finished = runner.run(request, clocked())
    if json:
        output.result_json({"run": str(finished.run), **finished.result.document()})
    else:
        verdicts.show(finished.result, finished.reports)
    if finished.problem is not None:
        output.error(finished.problem)
    return finished.exit_code


def prepare(topology: Topology, drill: Drill, *, accept_new: bool, ask_become_pass: bool) -> None:
    """Make the hosts that a drill talks to ready for that; those of clients only where its load runs there."""
    clients = topology.clients if drill.load.where == "clients" else ()
    host_access.prepare(topology, clients, accept_new=accept_new, ask_become_pass=ask_become_pass)


def confirmed(topology: Topology, confirm: str | None) -> str | None:
    """Return the cluster's name as it was typed, asking for it where the cluster is not marked as drillable."""
    if confirm is not None or topology.drillable:
        return confirm
    return output.ask(f"{topology.cluster} is not marked as drillable. To strike it, type its name:") or None


def rehearse(
    topology: Topology,
    drill: Drill,
    runs: Path,
    *,
    confirm: str | None,
    accept_new_host_keys: bool,
    ask_become_pass: bool,
    json: bool,
) -> int:
    """Print every command that a drill would send, for every instance that it could strike.

    What :func:`run` refuses is refused.
    """
    from rmqops.chaos import rehearsal
    from rmqops.chaos.drill import targets
    from rmqops.chaos.run.context import Request, refuse, rehearsed
    from rmqops.chaos.run.environment import REAL

    request = Request(topology, drill, runs, seed=0, typed=confirmed(topology, confirm))
    refuse(request)  # before the first connection, and before anybody is asked about a host's key
    prepare(topology, drill, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass)
    survey = rehearsed(request, REAL)
    acts = list(rehearsal.acts(drill, survey.probed))
    if json:
        output.result_json(
            [
                {
                    "strike": act.strike,
                    "instance": act.instance,
                    "host": act.host,
                    "step": act.step,
                    "argv": act.argv,
                }
                for act in acts
            ]
        )
        return 0
    last: tuple[str, str] | None = None
    for act in acts:
        if (act.strike, act.instance) != last:
            output.result(f"# {act.strike} on {act.instance} ({act.host})")
            last = (act.strike, act.instance)
        output.result(f"# {act.step}", *str(act.command).split("\n"))
    for strike in drill.strikes:
        if targets.client(strike.target):
            output.note(f"{strike.words}: a process of the load, so no instance's host is sent anything for it")
    output.note("nothing was struck")
    return 0


def clocked() -> Callable[[str], None]:
    """Return what shows a step and its time; a terminal that is gone must not keep a drill from its heal."""
    import time

    started = time.monotonic()

    def say(text: str) -> None:
        output.note(f"{time.monotonic() - started:6.1f} s  {text}")

    return say


def chosen_seed() -> int:
    """Return a seed, where nobody gave one."""
    import secrets

    return secrets.randbelow(1 << 31)
