"""``rmqops promote``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rmqops.cli import host_access, output
from rmqops.cli.changes import changing
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Inventory, Json

if TYPE_CHECKING:
    from rmqops.operations.change.promote import PromotionPlan


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
    from rmqops.operations.change import promote

    topology = inventories.load(inventory).topology
    promote.find(topology, broker)
    if undo and gone:
        raise UsageError("--undo needs every member, and --gone leaves one out", remedy="give one of the two")
    host_access.prepare(topology, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass)
    with changing("promote", topology) as (shown, entry):
        todo = promote.prepare_undo(topology, broker) if undo else promote.prepare(topology, broker, gone or [])
        entry.plan = _lines(todo, undo=undo)
        if todo.done:
            entry.plan = []
        else:
            _show(todo, entry.plan)
            question = f"This changes the master of {todo.group.name}. Type {broker} to go on:"
            typed = confirm if confirm is not None else output.ask(question)
            if typed != broker:
                raise Unsafe(
                    f"nothing was changed: {typed!r} is not {broker}",
                    remedy=f"type it, or give --confirm {broker}",
                )
        do = promote.undo if undo else promote.perform
        done = do(todo, log=Path(entry.log), listener=shown.listen, say=shown.say)
    master, slave = todo.up.instance.name, todo.down.instance.name
    tail = done.tail
    if json:
        output.result_json(
            {
                "group": todo.group.name,
                "master": master,
                "slave": None if todo.gone else slave,
                "not_copied": None
                if tail is None
                else {"messages": tail.messages, "bytes": tail.bytes, "aside": tail.aside},
                "status": done.status.json(),
            }
        )
        return
    output.result(f"{master} is the master of {todo.group.name}")
    if tail is not None:
        kept = f", kept in {tail.aside}" if tail.aside else ""
        output.result(f"not copied from {slave}: {tail.messages} messages, {tail.bytes} bytes{kept}")
    if todo.gone:
        output.result(f"when the host of {slave} is back: stop {slave} there, and run this command once more")
    elif not undo:
        output.result(f"bring {slave} back as its slave: rmqops start {slave} --inventory {topology.inventory}")


def _lines(todo: PromotionPlan, *, undo: bool) -> list[str]:
    if not undo:
        return todo.lines()
    up, down = todo.up, todo.down
    return [
        f"{down.instance.name}: refuses sends until {up.instance.name} has everything",
        f"{down.instance.name}: {down.before} -> {down.after}, and is restarted",
        f"{up.instance.name}: {up.before} -> {up.after}, and is restarted",
    ]


def _show(todo: PromotionPlan, lines: list[str]) -> None:
    output.note(f"promotion in {todo.group.name} of {todo.topology.cluster}, RocketMQ {todo.topology.version}")
    for line in lines:
        output.note(f"  {line}")
