"""Memory against the heap and direct memory of all instances of the machine.

What is left over is page cache, from which a broker serves consumers that keep up; a quarter is the least that
makes sense. Where the direct memory is left to the JVM it counts as nothing, as in the inventory's own rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rmqops.model.commands import Command
from rmqops.model.rules.memory import size, size_text
from rmqops.model.topology import Instance
from rmqops.operations.check.probes import Finding, Survey, failed, ok, unknown, warning
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer

SUMMARY = (
    "Heap and direct memory of all instances fit, with a quarter left as page cache, and what is not "
    "started yet finds its heap free."
)
CACHE = 0.25
"""The part of the memory that should stay page cache."""

_SCRIPT: Final = """
awk '
  $1 == "MemTotal:" {printf "total %.0f\\n", $2 * 1024}
  $1 == "MemAvailable:" {printf "available %.0f\\n", $2 * 1024}' /proc/meminfo
for limit in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
  [ ! -r "$limit" ] || { read -r most < "$limit"; printf 'limit %s\\n' "$most"; }
done
"""


def ask(_machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Ask for the memory, and for the bound of the container that the machine may be."""
    yield Command.shell(_SCRIPT)


def judge(machine: Machine, answers: tuple[Answer, ...], survey: Survey) -> Iterator[Finding]:
    """Hold it against the sum of all instances."""
    need = sum(_need(item, "rocketmq_heap", "rocketmq_direct_memory") for item in machine.instances)
    instances = _names(machine.instances)
    wanted = f"{size_text(need)} for heap and direct memory of {instances}, and a quarter for page cache"
    values = {key: int(text) for key, text in answers[0].values.items() if text.isdecimal()}
    if "total" not in values:
        yield unknown("/proc/meminfo says nothing", wanted, "Look with `free`")
        return
    total = min(values["total"], values.get("limit", values["total"]))
    if need > total:
        remedy = "Lower rocketmq_heap and rocketmq_direct_memory, or use a larger machine"
        yield failed(size_text(total), wanted, remedy)
    elif machine.brokers and need > total * (1 - CACHE):
        yield warning(
            size_text(total),
            wanted,
            "Leave a quarter for page cache: lower rocketmq_heap, or use a larger machine",
        )
    else:
        yield ok(size_text(total), wanted)
    waiting = [
        item for item in machine.instances if item.name in survey.facts and not survey.facts[item.name].alive
    ]
    heaps = sum(_need(item, "rocketmq_heap") for item in waiting)
    free = values.get("available", total)
    if waiting and need <= total and heaps > free:
        text = f"{size_text(free)} of it free"
        least = f"{size_text(heaps)} for the heaps of {_names(waiting)}, not started yet"
        yield warning(text, least, "End what else runs there, or lower rocketmq_heap", subject="free")


def _need(instance: Instance, *keys: str) -> int:
    return sum(size(instance.text(key)) or 0 for key in keys)


def _names(instances: Sequence[Instance]) -> str:
    return instances[0].name if len(instances) == 1 else f"{len(instances)} instances"
