"""The user of the units gets through every directory above those of its instances.

``/opt`` with mode 0750, as a hardened host may have it, keeps every unit from starting (``203/EXEC``). What rmqops
made itself under such a umask is mended by the next deploy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rmqops.model.commands import AS_USER, Command
from rmqops.operations.check.probes import Finding, Survey, failed, ok, unknown
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer

SUMMARY = "The user of the units may pass through every directory above its instances, releases, data and logs."
WANTED = "the user may pass"

# $1 user, $2 … paths. A user who is not made yet is anybody.
_SCRIPT: Final = f"""{AS_USER}
user=$1 above=
shift
for path; do
  while path=${{path%/*}} && [ -n "$path" ]; do
    case " $above " in *" $path "*) break ;; esac
    [ ! -d "$path/" ] || above="$path $above"
  done
done
echo asked
id -u "$user" > /dev/null 2>&1 || user=nobody
as_user "$user" /bin/sh -c 'for path; do [ -x "$path/" ] || echo "closed $path"; done' rmqops $above
"""


def ask(machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Try every directory above those of the machine's units, as their user."""
    for user in _users(machine):
        paths = sorted(
            {
                path
                for item in machine.instances
                if item.service_user == user
                for path in (
                    f"{item.home}/x",
                    f"{item.text('rocketmq_base_dir')}/releases/x",
                    item.text("rocketmq_data_dir"),
                    item.text("rocketmq_log_dir"),
                )
            }
        )
        yield Command.shell(_SCRIPT, user, *paths, timeout=10)


def judge(machine: Machine, answers: tuple[Answer, ...], _survey: Survey) -> Iterator[Finding]:
    """Name the directories that are closed."""
    for user, answer in zip(_users(machine), answers, strict=True):
        closed = [line.removeprefix("closed ") for line in answer.lines if line.startswith("closed ")]
        if not answer.ok or "asked" not in answer.lines:
            yield unknown("not found out", WANTED, "Look at the directories by hand, with namei -l", subject=user)
        elif closed:
            first = min(closed, key=len)
            remedy = f"chmod o+x {first}; where rmqops itself made it, a deploy does that"
            yield failed(f"{user} cannot pass through {first}", WANTED, remedy, subject=user)
        else:
            yield ok("it may", WANTED, subject=user)


def _users(machine: Machine) -> list[str]:
    return sorted({item.service_user for item in machine.instances} - {""})
