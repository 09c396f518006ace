"""``rmqops promote``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rmqops.cli import fleet_change, host_access, output
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Inventory, Json

if TYPE_CHECKING:
    from rmqops.model.topology import Topology
    from rmqops.operations.change.promote import PromotionPlan
    from rmqops.operations.change.recipe import Verb
    from rmqops.operations.observe.commit_log_tail import CommitLogTail


def command(
    broker: Annotated[
        str, typer.Argument(help="The slave that is to be master; with --undo, the one that was made so.")
    ],
    inventory: Inventory,
    undo: Annotated[
        bool,
        typer.Option(
            "--undo", help="Give the roles back as the inventory has them; the old master must be its slave."
        ),
    ] = False,
    gone: Annotated[
        list[str] | None,
        typer.Option(
            "--gone",
            metavar="NAME",
            help="The host of this member is dead and cannot be asked; may be given again.",
        ),
    ] = None,
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="BROKER", help="The broker's name, instead of being asked.")
    ] = None,
    json: Json = False,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
) -> None:
    """Make a slave the master of its group, where no DLedger elects one, after the master has died.

    Refused while the master runs, while a host cannot be asked, or when another slave holds more. The old master
    becomes a slave; what only its log holds is counted, and set aside on its host. Interrupted, it is run again.
    """
    from rmqops.errors import Unsafe, UsageError
    from rmqops.operations import inventories
    from rmqops.operations.change.fleet import Fleet
    from rmqops.operations.change.promote import Promote, UndoPromotion, find_slave

    topology = inventories.load(inventory).topology
    find_slave(topology, broker)
    if undo and gone:
        raise UsageError("--undo needs every member, and --gone leaves one out", remedy="give one of the two")
    host_access.prepare(topology, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass)

    def ask(plan: PromotionPlan) -> None:
        question = f"This changes the master of {plan.group.name}. Type {broker} to go on:"
        typed = confirm if confirm is not None else output.ask(question)
        if typed != broker:
            raise Unsafe(
                f"nothing was changed: {typed!r} is not {broker}",
                remedy=f"type it, or give --confirm {broker}",
            )

    fleet = Fleet(topology)
    verb: Verb[PromotionPlan, CommitLogTail | None] = (
        UndoPromotion(fleet, broker) if undo else Promote(fleet, broker, tuple(gone or ()))
    )
    completed = fleet_change.perform(verb, lambda plan: _show(topology, plan), None if confirm == broker else ask)
    plan, tail = completed.plan, completed.result
    master, slave = plan.new_master.instance.name, plan.old_master.instance.name
    if json:
        output.result_json(
            {
                "group": plan.group.name,
                "master": master,
                "slave": None if plan.gone else slave,
                "not_copied": None
                if tail is None
                else {"messages": tail.messages, "bytes": tail.bytes, "aside": tail.aside},
                "status": completed.status.json() if completed.status else None,
            }
        )
        return
    output.result(f"{master} is the master of {plan.group.name}")
    if tail is not None:
        kept = f", kept in {tail.aside}" if tail.aside else ""
        output.result(f"not copied from {slave}: {tail.messages} messages, {tail.bytes} bytes{kept}")
    if plan.gone:
        output.result(f"when the host of {slave} is back: stop {slave} there, and run this command once more")
    elif not undo:
        output.result(f"bring {slave} back as its slave: rmqops start {slave} --inventory {topology.inventory}")


def _show(topology: Topology, plan: PromotionPlan) -> None:
    output.note(f"promotion in {plan.group.name} of {topology.cluster}, RocketMQ {topology.version}")
    for step in plan.steps:
        output.note(f"  {step}")
