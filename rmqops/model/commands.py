"""Commands as values: what is to run on a host, before anything runs it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

TIMEOUT = 30.0
"""Seconds that a command may take unless it says otherwise."""
_SHELL = ("/bin/sh", "-c")
_NAME = "rmqops"
"""``$0`` of our scripts: stands before the message when the shell itself complains."""

AS_USER = """
as_user() {
  whom=$1
  shift
  [ -n "$whom" ] && [ "$(id -u)" = 0 ] || { "$@"; return; }
  uid=$(id -u "$whom") && gid=$(id -g "$whom") || return
  if [ "$uid" = 0 ]; then "$@"
  elif command -v setpriv > /dev/null; then setpriv --reuid "$uid" --regid "$gid" --clear-groups -- "$@"
  elif command -v runuser > /dev/null; then runuser -u "$whom" -- "$@"
  else
    echo "there is neither setpriv nor runuser to act as $whom: install util-linux" >&2
    return 1
  fi
}
"""
"""Shell: ``as_user USER COMMAND…`` runs a command as a user, if root runs the script; as who runs it if empty.

Root reads and writes nothing by a name below a directory that another user may write, because a link or a pipe may
be there (``docs/adr/0020``).
"""


@dataclass(frozen=True)
class Script:
    """A POSIX shell script with its arguments, which are ``$1``, ``$2`` … and so need no quoting."""

    text: str
    arguments: tuple[str, ...] = ()

    def then(self, other: Script) -> Script:
        """Return the script that runs this one and, only if it exits with 0, the other one.

        Each has a shell of its own and its own arguments; both texts are arguments of the new script, so neither
        is quoted and both can be read in a journal.
        """
        parts: list[str] = []
        arguments: list[str] = []
        for script in (self, other):
            numbers = range(len(arguments) + 1, len(arguments) + 2 + len(script.arguments))
            text, *values = (f'"${{{number}}}"' for number in numbers)
            parts.append(" ".join(["/bin/sh", "-c", text, _NAME, *values]))
            arguments += [script.text, *script.arguments]
        return Script(" && ".join(parts), tuple(arguments))

    def as_user(self, user: str) -> Script:
        """Return the script that runs this one as a user, if root runs it (:data:`AS_USER`)."""
        arguments = (user, *_SHELL, self.text, _NAME, *self.arguments)
        return Script(f'{AS_USER}as_user "$@"', arguments) if user else self

    def command(self, *, timeout: float = TIMEOUT, become: bool = True) -> Command:
        """Return the command that runs it."""
        return Command((*_SHELL, self.text, _NAME, *self.arguments), timeout=timeout, become=become)


@dataclass(frozen=True)
class Command:
    """One program with its arguments; never a line for a shell to split."""

    argv: tuple[str, ...]
    stdin: str | None = None
    timeout: float = TIMEOUT
    """Seconds until it is ended."""
    become: bool = True
    """Whether it runs as the user that the inventory says (``ansible_become``); else as the login user."""

    def __str__(self) -> str:
        return shlex.join(self.argv)

    @classmethod
    def shell(cls, script: str, *arguments: str, timeout: float = TIMEOUT, become: bool = True) -> Command:
        """Run a :class:`Script` that is not composed of others."""
        return Script(script, arguments).command(timeout=timeout, become=become)

    @property
    def script(self) -> Script | None:
        """The script that it runs; None when it is a program of another kind."""
        return Script(self.argv[2], self.argv[4:]) if self.argv[:2] == _SHELL else None


@dataclass(frozen=True)
class Result:
    """What a command did."""

    command: Command
    code: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether it exited with 0."""
        return self.code == 0
