"""``rmqops restart``."""

from __future__ import annotations

from rmqops.cli import process_command
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Instances, Inventory


def command(
    inventory: Inventory,
    instances: Instances = None,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
) -> None:
    """Restart instances one at a time, followers before the master, healthy between one and the next."""
    from rmqops.operations.change.lifecycle import Restart

    process_command.run(
        Restart,
        "restarted",
        inventory,
        instances,
        accept_new=accept_new_host_keys,
        ask_become_pass=ask_become_pass,
    )
