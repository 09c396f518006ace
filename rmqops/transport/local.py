"""Commands on this machine."""

from __future__ import annotations

import subprocess

from rmqops.errors import OperationFailed
from rmqops.model.commands import Command, Result


class LocalTransport:
    """Runs commands as child processes of rmqops."""

    host = "localhost"

    def run(self, command: Command) -> Result:
        """Run a command; see :class:`rmqops.transport.base.Transport`."""
        try:
            done = subprocess.run(
                command.argv,
                input=command.stdin if command.stdin is not None else "",
                capture_output=True,
                text=True,
                errors="replace",
                timeout=command.timeout,
                check=False,
                start_new_session=True,  # Ctrl-C on a terminal must not cut off a heal that is under way
            )
        except FileNotFoundError as error:
            raise OperationFailed(f"{self.host}: there is no program {command.argv[0]}") from error
        except subprocess.TimeoutExpired as error:
            raise OperationFailed(
                f"{self.host}: {command.argv[0]} did not end within {command.timeout:g} s"
            ) from error
        return Result(command, done.returncode, done.stdout, done.stderr)
