"""The input and output scheduler of the disks that hold data: ``os.sh`` sets ``deadline``.

Kernels of today call it ``mq-deadline``, and give fast disks ``none``; those that share time between processes
(``bfq``, ``cfq``) make a broker's flush wait for others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rmqops.model.commands import Command
from rmqops.operations.check.probes import Finding, Survey, ok, warning
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer

SUMMARY = "The disks under the data directories use a scheduler that lets a flush through, as bin/os.sh wants."
WANTED = "none, mq-deadline, deadline, kyber or noop"
FIT: Final = ("none", "mq-deadline", "deadline", "kyber", "noop")

_SCRIPT: Final = """
for path; do
  place=$path
  until [ -d "$place/" ]; do place=${place%/*}; done
  findmnt -n -o MAJ:MIN -T "$place/" | {
    read -r device
    disk=/sys/dev/block/$device
    [ -d "$disk/queue" ] || disk=$disk/..
    [ -r "$disk/queue/scheduler" ] || exit
    read -r schedulers < "$disk/queue/scheduler"
    disk=$(readlink -f "$disk")
    printf '%s %s\\n' "${disk##*/}" "$schedulers"
  }
done
"""


def ask(machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Ask for the disk under each data directory; there is none under a network or a memory file system."""
    paths = [broker.text("rocketmq_data_dir") for broker in machine.brokers]
    if paths:
        yield Command.shell(_SCRIPT, *paths)


def judge(_machine: Machine, answers: tuple[Answer, ...], _survey: Survey) -> Iterator[Finding]:
    """Hold the scheduler in force of each disk against those that fit."""
    for line in dict.fromkeys(line for answer in answers for line in answer.lines):
        disk, _, text = line.partition(" ")
        chosen = re.search(r"\[([\w-]+)\]", text)
        name = chosen[1] if chosen else text.strip()
        if name in FIT:
            yield ok(name, WANTED, subject=disk)
        elif name:
            remedy = f"echo mq-deadline > /sys/block/{disk}/queue/scheduler, and a udev rule for each boot"
            yield warning(name, WANTED, remedy, subject=disk)
