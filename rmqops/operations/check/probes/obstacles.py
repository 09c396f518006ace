"""Nothing of somebody else's lies where an instance is to be: directories, messages, units.

Whose a directory is stands in its ``.rmqops`` (:mod:`rmqops.operations.hosts.directories`). An instance's own,
without that mark, may hold what an installation by hand leaves, which a deploy takes over, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rmqops.model.commands import Command
from rmqops.model.topology import Instance
from rmqops.operations.check.probes import Finding, Survey, failed, ok, unknown, warning
from rmqops.operations.hosts import directories
from rmqops.operations.hosts.facts import Facts
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer

SUMMARY = (
    "No directory of another cluster, no foreign files, no messages of an earlier life, no foreign unit "
    "of the same name."
)
WANTED = "nothing in the way"

_SCRIPT: Final = """
while [ $# -gt 0 ]; do
  name=$1 home=$2 data=$3
  shift 3
  printf 'instance %s\\n' "$name"
  [ -z "$data" ] || [ -z "$(ls -A "$data" 2>/dev/null)" ] || printf 'data %s\\n' "$data"
  for place in /etc /run /usr/local/lib /usr/lib; do
    unit=$place/systemd/system/rocketmq-$name.service
    [ ! -f "$unit" ] || grep -qF "$home/" "$unit" || printf 'unit %s\\n' "$unit"
  done
done
"""


def ask(machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Look at the places of each instance."""
    arguments = [part for item in machine.instances for part in (item.name, item.home, _data(item))]
    yield Command.shell(_SCRIPT, *arguments)


def judge(machine: Machine, answers: tuple[Answer, ...], survey: Survey) -> Iterator[Finding]:
    """Hold what lies there against whose it is."""
    blocks = answers[0].output.split("instance ")[1:]
    if len(blocks) != len(machine.instances):
        yield unknown("not found out", WANTED, "Look at the instances' directories by hand")
        return
    for item, block in zip(machine.instances, blocks, strict=True):
        findings = list(_obstacles(item, block, survey))
        yield from findings or [ok("nothing", WANTED, subject=item.name)]


def _obstacles(item: Instance, block: str, survey: Survey) -> Iterator[Finding]:
    facts = survey.facts.get(item.name, Facts())
    mark, own = facts.mark, f"{item.text('rocketmq_cluster')}/{item.name}"
    lines = [line.partition(" ")[::2] for line in block.splitlines()[1:]]
    for what, remedy in directories.obstacles(item, own, facts.directories, facts.deployer):
        yield failed(what, WANTED, remedy, subject=item.name)
    for kind, text in lines:
        if kind == "data" and mark is None:
            remedy = "If these messages are not this cluster's, move them away or choose another rocketmq_data_dir"
            what = f"{text} holds something already, and a broker would take it up as its own messages"
            yield warning(what, WANTED, remedy, subject=item.name)
        if kind == "unit" and item.supervisor == "systemd":
            remedy = f"Remove that unit, or give {item.name} another name"
            yield failed(f"{text} is of something else", WANTED, remedy, subject=item.name)


def _data(item: Instance) -> str:
    return item.text("rocketmq_data_dir") if item.kind == "broker" else ""
