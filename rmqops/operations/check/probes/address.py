"""The address that an instance gives out is one of its own machine's.

A broker registers as ``brokerIP1``, whatever it is, and clients are sent there; ``brokerIP2`` is where slaves go.
The kernel's own table of local addresses is read (``/proc/net/fib_trie``), which needs no tool.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rmqops.model.commands import Command
from rmqops.operations.check.probes import Finding, Survey, failed, ok, unknown
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer

SUMMARY = "rocketmq_address (brokerIP1) and rocketmq_replication_address (brokerIP2) are bound on the machine."
_SCRIPT: Final = (
    "awk '$1 == \"|--\" {address = $2} /host LOCAL/ && !seen[address]++ {print address}' /proc/net/fib_trie"
)


def ask(_machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Ask for the machine's addresses."""
    yield Command.shell(_SCRIPT)


def judge(machine: Machine, answers: tuple[Answer, ...], _survey: Survey) -> Iterator[Finding]:
    """Look for the address of each instance among them."""
    bound = [line for line in answers[0].lines if not line.startswith("127.")]
    for item in machine.instances:
        claims = {item.ip: "rocketmq_address"}
        if item.kind == "broker":
            claims.setdefault(item.text("rocketmq_replication_address"), "rocketmq_replication_address")
        for address, key in claims.items():
            wanted = f"{key} bound on the machine"
            if not answers[0].lines:
                yield unknown("not found out", wanted, "Look with `ip address`", subject=item.name)
            elif address in bound or address.startswith("127."):
                yield ok(address, wanted, subject=item.name)
            else:
                found = f"{address} is not; the machine has {', '.join(bound) or 'the loopback alone'}"
                remedy = f"Set {key} of {item.name} to the machine's own address in the cluster's network"
                yield failed(found, wanted, remedy, subject=item.name)
