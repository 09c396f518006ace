"""What a deploy would change in the files of each instance, as unified diffs."""

from __future__ import annotations

import base64
import difflib
from collections.abc import Mapping, Sequence

from rmqops.model import secret
from rmqops.model.commands import Command
from rmqops.operations.plan import trees
from rmqops.operations.plan.plan import InstanceChange
from rmqops.system import parallel
from rmqops.transport.base import Transports, check, transport_for

_READ = """
cd "$1/current" 2>/dev/null || exit 0
shift
for file; do [ ! -f "$file" ] || printf '%s %s\\n' "$(base64 < "$file" | tr -d '\\n')" "$file"; done
"""


def differences(changes: Sequence[InstanceChange], transports: Transports = transport_for) -> dict[str, str]:
    """Return the diff of each instance whose files would change, by name; what looks like a secret is hidden.

    Raises:
        OperationFailed: the files on a host could not be read.
    """

    def difference(change: InstanceChange) -> tuple[str, str]:
        transport = transports(change.instance)
        command = Command.shell(_READ, change.instance.home, *change.files)
        on_host = _contents(check(transport.run(command), transport.host).stdout)
        expected = {file.path: file.content for file in trees.tree(change.instance)}
        return change.instance.name, "".join(_diff(path, on_host, expected) for path in change.files)

    return dict(parallel.mapped(difference, [change for change in changes if change.files]))


def _contents(output: str) -> dict[str, str]:
    lines = (line.partition(" ") for line in output.splitlines())
    return {path: base64.b64decode(content).decode("utf-8", errors="replace") for content, _, path in lines}


def _diff(path: str, on_host: Mapping[str, str], expected: Mapping[str, str]) -> str:
    before, after = (_lines(contents.get(path, "")) for contents in (on_host, expected))
    names = (path if path in on_host else "/dev/null", path if path in expected else "/dev/null")
    lines = list(difflib.unified_diff(before, after, *names, n=2))
    if not lines:
        return f"{path}: its mode differs\n"
    return "".join(map(secret.hide, lines))


def _lines(text: str) -> list[str]:
    return [f"{line}\n" for line in text.splitlines()]
