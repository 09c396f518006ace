"""What runs is built with the patches that close known holes; if not, from where its ports were reached.

It asks nothing: what runs is among the facts, the machine's addresses are the answer to ``address``, and who got
through is the answer to ``connections``.
"""

from __future__ import annotations

from collections.abc import Iterator

from rmqops.model.commands import Command
from rmqops.model.topology import Instance
from rmqops.operations.check.probes import Finding, Survey, connections, ok, warning
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer
from rmqops.operations.plan import running_releases

SUMMARY = "What runs has its known holes closed; if not, on which addresses it listens and who got through to it."


def ask(_machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Ask nothing."""
    yield from ()


def judge(machine: Machine, _answers: tuple[Answer, ...], survey: Survey) -> Iterator[Finding]:
    """Look at the release that each process was started from."""
    wanted = "a release with the patches of a build by default"
    lines = [line for answer in survey.of("address", machine) for line in answer.lines]
    addresses = [line for line in lines if not line.startswith("127.")]
    for item in machine.instances:
        release = survey.facts[item.name].on if item.name in survey.facts else None
        if release is None:
            continue
        if text := running_releases.lacking(release):
            found = f"{release}, {text}: open at port {item.port} of {', '.join(addresses) or 'every address'}"
            remedy = "rmqops deploy, without plain or without in rocketmq_patches; until then a firewall"
            yield warning(f"{found}; {_reached(item, survey)}", wanted, remedy, subject=item.name)
        else:
            yield ok(release, wanted, subject=item.name)


def _reached(instance: Instance, survey: Survey) -> str:
    names = connections.reaching(instance, survey)
    return f"reached from {', '.join(names)}" if names else "nobody tried to reach it"
