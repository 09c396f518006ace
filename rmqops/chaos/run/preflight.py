"""What must be true of a cluster before a drill touches it; nothing is changed to find that out."""

from __future__ import annotations

from dataclasses import dataclass

from rmqops.chaos import faults
from rmqops.chaos.drill import Drill, Strike, guard, targets
from rmqops.chaos.mechanisms.plan import Aim
from rmqops.chaos.run import heal
from rmqops.chaos.run.environment import Environment
from rmqops.errors import OperationFailed, PreflightFailed
from rmqops.model.topology import Topology
from rmqops.operations.observe import status
from rmqops.system import parallel
from rmqops.transport.base import Transports


def limit(topology: Topology, drill: Drill) -> None:
    """Ask the guard, with the most that the drill's targets can mean; nothing is sent for it.

    Raises:
        Unsafe: the drill takes more than it declares.
        UsageError: a target names nobody.
    """
    for phase in drill.phases:
        victims = [each for strike in phase.strikes for each in targets.worst_case(strike.target, topology)]
        guard.limit(topology, drill, victims)


def fits(topology: Topology, drill: Drill) -> None:
    """Make sure that the cluster has what the drill is about; nothing is sent for it.

    A phase that expects ``reads`` strikes where nobody is elected and others serve; shares take two groups.

    Raises:
        PreflightFailed: it has not.
    """
    if drill.limits.uneven and len(topology.groups) < 2:
        raise PreflightFailed(
            f"drill {drill.name} needs two groups that share the messages; nothing was touched",
            remedy="run it against a cluster of several groups",
        )
    if all(phase.expects != "reads" for phase in drill.phases):
        return
    modes = {group.mode for group in topology.groups}
    if modes != {"master-slave"} or len(topology.groups) < 2:
        raise PreflightFailed(
            f"drill {drill.name} needs two groups of mode master-slave, and nothing else; nothing was touched",
            remedy="run it against such a cluster, of RocketMQ 4.4.0, for instance",
        )


def steady(topology: Topology, environment: Environment) -> None:
    """Make sure that the cluster is healthy and that no fault is in force.

    Raises:
        PreflightFailed: it is not; says what is wrong.
    """
    seen = status.observe(topology, environment.clients)
    if not seen.healthy:
        raise PreflightFailed(
            f"cluster {topology.cluster} is not healthy, so a drill would prove nothing; nothing was touched",
            detail="\n".join(seen.problems),
            remedy=f"rmqops status --inventory {topology.inventory}",
        )
    try:
        armed = heal.armed(topology, environment.transports)
    except OperationFailed as error:
        raise PreflightFailed(f"{error.message}; nothing was touched", detail=error.detail) from error
    if armed:
        raise PreflightFailed(
            f"a drill against {topology.cluster} runs elsewhere or has left something behind; nothing was touched",
            detail="\n".join(f"{instance.name}: {fault} is armed" for instance, fault in armed),
            remedy=f"wait for it, or rmqops chaos heal --inventory {topology.inventory}",
        )


@dataclass(frozen=True)
class Probed:
    """A fault that is possible on an instance, and what its probe printed there."""

    strike: Strike
    aim: Aim
    output: str


def possible(
    topology: Topology, drill: Drill, transports: Transports, clients: tuple[str, ...]
) -> tuple[Probed, ...]:
    """Make sure that each fault is possible on every instance that its target could mean; a probe changes nothing.

    The nemesis asks the same of the instances that it strikes, right before that: whom a word such as ``master``
    means is known only then, and a host may have changed since.

    Raises:
        PreflightFailed: one is not, somewhere; says where and why.
        UsageError: a target or an option names nobody.
    """
    aims = {
        (strike.fault, str(strike.options), instance.name): (
            strike,
            Aim(instance, topology, strike.chosen, clients=clients),
        )
        for strike in drill.strikes
        for instance in targets.candidates(strike.target, topology)
    }

    def ask(item: tuple[Strike, Aim]) -> tuple[Probed, str | None]:
        strike, aim = item
        probe = transports(aim.instance).run(faults.probe(strike.fault, aim))
        why = probe.stderr.strip() or probe.stdout.strip()
        problem = f"{aim.instance.name}: {strike.fault}: {why or f'its probe ended with {probe.code}'}"
        return Probed(strike, aim, probe.stdout), None if probe.ok else problem

    answers = parallel.mapped(ask, aims.values())
    problems = [problem for _, problem in answers if problem]
    if problems:
        kinds = ", ".join(dict.fromkeys(probed.strike.fault for probed, problem in answers if problem))
        raise PreflightFailed(
            f"the fault {kinds} is not possible on {topology.cluster}; nothing was touched",
            detail="\n".join(problems),
        )
    return tuple(probed for probed, _ in answers)
