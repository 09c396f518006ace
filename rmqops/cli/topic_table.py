"""How a topic is shown on a terminal."""

from __future__ import annotations

from rmqops.cli import output
from rmqops.operations.topics.topic_status import TopicStatus, permission_text


def show(status: TopicStatus) -> None:
    """Print a topic's groups with their members, each group's share, and where NameServers differ."""
    rows = []
    for name, queues in sorted(status.queues.items()):
        share = status.share(name)
        rows += [
            [
                name,
                member.name,
                "master" if member.master else "slave",
                f"{queues.write} / {queues.read}",
                permission_text(queues.permission),
                "does not answer" if member.offsets is None else f"{member.messages:,}",
                "" if share is None or not member.master else f"{share:.1%}",
                " ".join(f"{each.min}-{each.max}" for each in member.offsets or ()),
            ]
            for member in status.members
            if member.group == name
        ]
    output.table(
        f"{status.topic}: {status.messages:,} messages",
        ["group", "broker", "role", "write / read", "may", "messages", "share", "offsets of each queue"],
        rows,
    )
    for difference in status.differences:
        output.note(f"difference: {difference}")
