"""``rmqops start``."""

from __future__ import annotations

from rmqops.cli import process_command
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Instances, Inventory


def command(
    inventory: Inventory,
    instances: Instances = None,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
) -> None:
    """Start instances that a deploy put in place, NameServers first."""
    from rmqops.operations.change.lifecycle import Start

    process_command.run(
        Start, "running", inventory, instances, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass
    )
