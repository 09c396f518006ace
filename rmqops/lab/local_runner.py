"""Commands on this machine that are never cut in the middle, and that keep the lab's lock while they run.

A container engine that is killed half-way leaves halves behind. So Ctrl-C waits for the command under way, and
when rmqops is killed, the command goes on in its own session and keeps the lock: ``lab down`` waits for it, and
sees what it made.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from rmqops.errors import OperationFailed
from rmqops.model.commands import Command, Result
from rmqops.transport import wrapping

# The shell holds the lock and its child does not: a daemon that the child leaves must not hold it for ever.
_HOLDER: Final = 'lock=$1; shift; eval "exec 9>&$lock"; eval "exec $lock>&-"; "$@" 9>&-; exit $?'


@dataclass(frozen=True)
class LocalRunner:
    """Runs commands on this machine; see :class:`rmqops.transport.base.Runner`."""

    lock: int | None = None
    """A descriptor that each command keeps open until it ends."""
    host: str = "localhost"

    def run(self, command: Command) -> Result:
        """Run a command to its end, also when interrupted."""
        argv = (
            command.argv
            if self.lock is None
            else ("/bin/bash", "-c", _HOLDER, "lab", str(self.lock), *command.argv)
        )
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                env={**os.environ, **wrapping.ENVIRONMENT},
                start_new_session=True,
                pass_fds=() if self.lock is None else (self.lock,),
            )
        except FileNotFoundError as error:
            raise OperationFailed(f"{self.host}: there is no program {argv[0]}") from error
        try:
            stdout, stderr = child.communicate(command.stdin or "", timeout=command.timeout)
        except subprocess.TimeoutExpired as error:
            child.kill()
            child.communicate()
            raise OperationFailed(f"{self.host}: {command} did not end within {command.timeout:g} s") from error
        except BaseException:
            with suppress(subprocess.TimeoutExpired):
                child.communicate(timeout=command.timeout)
            raise
        return Result(command, child.returncode, stdout, stderr)
