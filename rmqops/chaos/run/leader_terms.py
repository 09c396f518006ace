"""Which member of a DLedger group led in which term, as each one's own log says it. PURE: a command, its answer.

A member says in ``broker.log`` when it becomes leader (``DLedgerRoleChangeHandler``, 4.5); older logs are packed
beside it. DLedger's own request for metadata tells a leader and no term.
"""

from __future__ import annotations

from collections.abc import Iterator

from rmqops.model.commands import Command, Result, Script
from rmqops.model.history import Event
from rmqops.model.topology import Instance
from rmqops.operations.hosts import plain_files

# A pipeline ends with what its last command ends with, so whether each log can be read is asked before.
_SCRIPT = f"""{plain_files.SHELL}
cd "$1" || exit 1
logs=
for log in broker.log otherdays/broker.*.log.gz; do ! plain "$log" || logs="$logs $log"; done
[ -n "$logs" ] || {{ echo "there is no broker.log in $1" >&2; exit 1; }}
content() {{ dd if="$1" iflag=nofollow,nonblock bs=64k status=none; }}
for log in $logs; do
  case $log in *.gz) content "$log" | gzip -t ;; *) content "$log" > /dev/null ;; esac || exit 1
done
for log in $logs; do content "$log" | gzip -dcf; done |
  sed -n 's/.*Begin handling broker role change term=\\([0-9]*\\) role=LEADER.*/\\1/p' | sort -nu
"""


def ask(instance: Instance) -> Command:
    """Return what prints every term in which an instance has led, one a line."""
    return Script(_SCRIPT, (instance.text("rocketmq_log_dir"),)).as_user(instance.service_user).command()


def leader_events(instance: Instance, result: Result | None, t: float) -> Iterator[Event]:
    """Yield what an answer says; None when the host could not be asked."""
    if result is None or not result.ok:
        error = "its host could not be asked" if result is None else result.stderr.strip() or "it cannot be read"
        yield Event(t, instance.name, "leader", "fail", broker=instance.group, error=error)
        return
    for term in result.stdout.split():
        yield Event(t, instance.name, "leader", "ok", broker=instance.group, value={"term": term})
