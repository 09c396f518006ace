"""``rmqops stop``."""

from __future__ import annotations

from rmqops.cli import process_command
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Instances, Inventory


def command(
    inventory: Inventory,
    instances: Instances = None,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
) -> None:
    """Stop instances, brokers first."""
    from rmqops.operations.change.lifecycle import Stop

    process_command.run(
        Stop, "stopped", inventory, instances, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass
    )
