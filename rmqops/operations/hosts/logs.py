"""The logs of instances: their last lines in the order of time, or as they are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from rmqops.errors import RmqopsError, UsageError
from rmqops.model.commands import Command, Script
from rmqops.model.topology import Instance
from rmqops.operations.hosts import plain_files
from rmqops.operations.hosts.streams import Job
from rmqops.system import parallel
from rmqops.transport.base import Transports, check, transport_for

# What lies there in place of a file is named: it is nothing that RocketMQ put there.
_RECENT: Final = f"""{plain_files.SHELL}
cd "$1" || exit
lines=$2
shift 2
for file; do
  odd=$(oddity "$file")
  [ -z "$odd" ] || echo "$file is not read: it is a $odd"
  ! plain "$file" || end "$file" | tail -n "$lines" | sed "s/^/$file /"
done
"""
_FOLLOW: Final = f"""{plain_files.SHELL}
cd "$1" || exit
lines=$2
shift 2
for file; do
  odd=$(oddity "$file")
  if [ -n "$odd" ]; then
    echo "$file is not read: it is a $odd"
  else
    tail -n "$lines" -F -- "$file" 2>/dev/null | sed -u "s/^/$file /" &
  fi
done
wait
"""
"""``-F`` opens a file again when it was moved away (rotation, a restart), or when it comes to be."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_STAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(?:Z|[+-]\d\d:\d\d)")
"""As ``templates/common/conf/logback_KIND.xml.j2`` has them written."""
_FIRST: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class LogLine:
    """One line of a log."""

    instance: str
    file: str
    text: str


def files(instance: Instance, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of an instance's logs: those that were asked for, else its console and its main log.

    Raises:
        UsageError: a name is not one of a file in the log directory.
    """
    for name in names:
        if not _PLAIN.fullmatch(name):
            raise UsageError(
                f"{name!r} is no name of a log", remedy="name a file of rocketmq_log_dir, such as store.log"
            )
    return tuple(names) or ("console.log", f"{instance.kind}.log")


def recent(
    instances: Sequence[Instance],
    names: Sequence[str],
    lines: int,
    transports: Transports = transport_for,
) -> tuple[tuple[LogLine, ...], tuple[RmqopsError, ...]]:
    """Return the last lines of each log, all of them in the order of time, and what could not be had.

    Raises:
        UsageError: a name is not one of a file in the log directory.
    """

    def ask(instance: Instance) -> tuple[tuple[LogLine, ...], RmqopsError | None]:
        command = _command(_RECENT, instance, names, lines)
        try:
            transport = transports(instance)
            answer = check(transport.run(command), f"{transport.host}, {instance.name}").stdout
        except RmqopsError as error:
            return (), error
        return tuple(line(instance.name, text) for text in answer.split("\n")[:-1]), None

    for instance in instances:
        files(instance, names)
    answers = parallel.mapped(ask, instances)
    lines_in_order = merged([log for log, _ in answers])
    return lines_in_order, tuple(error for _, error in answers if error is not None)


def follow(instances: Sequence[Instance], names: Sequence[str], lines: int) -> tuple[Job, ...]:
    """Return what tells the last lines of each log and then every new one, until it is ended.

    Raises:
        UsageError: a name is not one of a file in the log directory.
    """
    return tuple(Job(item.name, item, _command(_FOLLOW, item, names, lines)) for item in instances)


def line(instance: str, text: str) -> LogLine:
    """Read what a host says: the file's name, a blank, the line."""
    file, _, rest = text.partition(" ")
    return LogLine(instance, file, rest)


def merged(logs: Iterable[Sequence[LogLine]]) -> tuple[LogLine, ...]:
    """Return the lines of several hosts in the order of the times that they begin with.

    A line without a time, such as one of a stack trace, stays behind the one before it in its file; one that has
    none before it comes first. Times are the hosts' own.
    """
    keyed = []
    for log in logs:
        last: dict[str, datetime] = {}
        for item in log:
            stamp = _STAMP.match(item.text)
            if stamp:
                last[item.file] = datetime.fromisoformat(stamp.group())
            keyed.append((last.get(item.file, _FIRST), item))
    return tuple(item for _, item in sorted(keyed, key=lambda pair: pair[0]))


def _command(script: str, instance: Instance, names: Sequence[str], lines: int) -> Command:
    arguments = (instance.text("rocketmq_log_dir"), str(lines), *files(instance, names))
    return Script(script, arguments).as_user(instance.service_user).command()
