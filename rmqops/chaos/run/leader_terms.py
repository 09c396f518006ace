"""Which member of a DLedger group led in which term, as each one's own log says it. PURE: a command, its answer.

A member says in ``broker.log`` when it becomes leader (``DLedgerRoleChangeHandler``, 4.5); older logs are packed
beside it. DLedger's own request for metadata tells a leader and no term.
"""

from __future__ import annotations

from collections.abc import Iterator

from rmqops.model.commands import Command, Result
from rmqops.model.history import Event
from rmqops.model.topology import Instance

# A pipeline ends with what its last command ends with, so whether each log can be read is asked before.
_SCRIPT = """
cd "$1" || exit 1
logs=$(ls broker.log otherdays/broker.*.log.gz 2>/dev/null)
[ -n "$logs" ] || { echo "there is no broker.log in $1" >&2; exit 1; }
for log in $logs; do
  case $log in *.gz) gzip -t "$log" ;; *) : < "$log" ;; esac || exit 1
done
for log in $logs; do gzip -dcf "$log"; done |
  sed -n 's/.*Begin handling broker role change term=\\([0-9]*\\) role=LEADER.*/\\1/p' | sort -nu
"""


def ask(instance: Instance) -> Command:
    """Return what prints every term in which an instance has led, one a line."""
    return Command.shell(_SCRIPT, instance.text("rocketmq_log_dir"))


def leader_events(instance: Instance, result: Result | None, t: float) -> Iterator[Event]:
    """Yield what an answer says; None when the host could not be asked."""
    if result is None or not result.ok:
        error = "its host could not be asked" if result is None else result.stderr.strip() or "it cannot be read"
        yield Event(t, instance.name, "leader", "fail", broker=instance.group, error=error)
        return
    for term in result.stdout.split():
        yield Event(t, instance.name, "leader", "ok", broker=instance.group, value={"term": term})
