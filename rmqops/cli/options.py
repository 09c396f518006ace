"""Options that several commands share, declared once."""

from __future__ import annotations

from typing import Annotated

import typer

Inventory = Annotated[
    list[str],
    typer.Option(
        "--inventory",
        "-i",
        metavar="NAME|PATH",
        help="The cluster: a name in ./inventory or of those that rmqops ships, or a path. May be given again: "
        "several are one inventory, as for ansible-playbook.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, alone on standard output.")]
LabName = Annotated[str, typer.Option("--name", metavar="NAME", help="The lab; several may be up side by side.")]
Topic = Annotated[str, typer.Argument(help="The topic.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
AcceptNewHostKeys = Annotated[
    bool,
    typer.Option(
        "--accept-new-host-keys", help="Take the ssh keys of hosts that are not known yet; never one that changed."
    ),
]
AskBecomePass = Annotated[
    bool, typer.Option("--ask-become-pass", "-K", help="Ask for the password that sudo wants on the hosts.")
]
ConfirmCluster = Annotated[
    str | None,
    typer.Option("--confirm", metavar="CLUSTER", help="The cluster's name, instead of being asked."),
]
ConfirmDrill = Annotated[
    str | None,
    typer.Option("--confirm", help="The cluster's name, to drill one that is not marked as drillable."),
]
Forks = Annotated[int, typer.Option(min=1, help="Hosts that are worked on at once.")]
Limit = Annotated[
    list[str] | None,
    typer.Option("--limit", metavar="NAME", help="Only this instance or group; may be given again."),
]
Instances = Annotated[
    list[str] | None, typer.Argument(help="Instances or groups; the whole cluster when none is named.")
]
