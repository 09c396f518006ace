"""What is really started for a command: sudo, a time limit and a lifeline around its argv. PURE.

A wrapped command first says a word that nobody else knows (the *mark*) on both of its streams. So what a login
shell or sudo printed before is told apart from what the command printed, and a host that never starts anything is
known after :data:`~rmqops.transport.conversation.START` seconds whatever the command's own time-out is.

What ends a command on its host:

- One that is *run* ends at the latest at its time-out, because it runs under ``timeout`` (coreutils) there: it
  and everything in its process group gets SIGTERM, and SIGKILL five seconds later, also when rmqops or the
  network died.
- One that is *opened* lives as long as the connection: its lifeline is its standard input, and the end of that,
  for whatever reason, ends its process group in the same way. A network that is cut without a word is noticed by
  the host's sshd alone (``ClientAliveInterval``, TCP keepalive).
- One that is *opened* to be *talked to* has that input itself, and must end when it ends: it is for programs of
  ours that do. Its two outputs stay apart, and its exit code is 128 + N when the signal N ended it.

What a command itself puts into a session of its own (``setsid``, a daemon) outlives it, as it should.

Every command speaks the language of programs (:data:`ENVIRONMENT`), whatever a login, sudo or sshd's ``AcceptEnv``
would have it speak: with a decimal comma awk reads 100.2 as a text, and sudo refuses in the user's words.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import Final

from rmqops.model.secret import Secret

ENVIRONMENT: Final = {"LC_ALL": "C"}
"""What each command has in its environment, here and on hosts."""
_EXPORTS: Final = "".join(f"export {name}={value}\n" for name, value in ENVIRONMENT.items())

UMASK: Final = 0o022
"""Under which a command is *run*: a login's own may let nobody else read what it makes, or everybody write it."""
KILL_AFTER: Final = 5
"""Seconds between SIGTERM and SIGKILL."""

_RUN: Final = f"""
{_EXPORTS}
printf '%s\\n' "$1"; printf '%s\\n' "$1" >&2
limit=$2; shift 2
umask {UMASK:03o}
exec timeout -k {KILL_AFTER} "$limit" "$@"
"""

_OPEN: Final = f"""
{_EXPORTS}
printf '%s\\n' "$1"; printf '%s\\n' "$1" >&2
shift
exec 3<&0
setsid "$@" < /dev/null 2>&1 3<&- &
child=$!
(
  while read -r _; do :; done <&3
  kill -TERM "-$child"
  sleep {KILL_AFTER}
  kill -KILL "-$child"
) > /dev/null 2>&1 &
watch=$!
exec 3<&-
wait "$child"
code=$?
kill "$watch" 2> /dev/null
exit "$code"
"""

_TALK: Final = f"""
{_EXPORTS}
printf '%s\\n' "$1"; printf '%s\\n' "$1" >&2
shift
exec 3<&0
"$@" <&3 3<&- &
child=$!
exec 3<&- < /dev/null
wait "$child"
"""


@dataclass(frozen=True)
class Become:
    """Whom a command runs as, by sudo."""

    user: str = "root"
    password: Secret | None = None
    """None: sudo must not ask for one."""


@dataclass(frozen=True)
class Wrapped:
    """An argv to be started, and what to expect of it."""

    argv: tuple[str, ...]
    program: str
    """The command's own program, for messages."""
    mark: bytes | None
    """The line it says on both streams before its own output; None when it is not wrapped."""
    prompt: bytes | None = None
    """How sudo will ask for the password, on standard error."""
    become: Become | None = None

    @property
    def line(self) -> str:
        """The argv as a line for a remote shell: the one place where anything is quoted."""
        return shlex.join(self.argv)


def bare(argv: tuple[str, ...]) -> Wrapped:
    """Return a command as it is, for a process that we can end, and can give :data:`ENVIRONMENT`, ourselves."""
    return Wrapped(argv, argv[0], None)


def run(argv: tuple[str, ...], timeout: float, become: Become | None) -> Wrapped:
    """Wrap a command that ends by itself, or at its time-out in seconds."""
    mark = _word()
    return _become(("/bin/sh", "-c", _RUN, "rmqops", mark, f"{timeout:.3f}", *argv), argv[0], mark, become)


def opened(argv: tuple[str, ...], become: Become | None, *, talk: bool = False) -> Wrapped:
    """Wrap a command that lives until its standard input ends; its two outputs are one unless it is talked to."""
    mark = _word()
    return _become(("/bin/sh", "-c", _TALK if talk else _OPEN, "rmqops", mark, *argv), argv[0], mark, become)


def _become(argv: tuple[str, ...], program: str, mark: str, become: Become | None) -> Wrapped:
    line = f"{mark}\n".encode()
    if become is None:
        return Wrapped(argv, program, line)
    sudo = ("env", *(f"{name}={value}" for name, value in ENVIRONMENT.items()), "sudo", "-H")
    if become.password is None:
        return Wrapped((*sudo, "-n", "-u", become.user, "--", *argv), program, line, become=become)
    prompt = f"{_word()}:"
    return Wrapped(
        (*sudo, "-S", "-p", prompt, "-u", become.user, "--", *argv), program, line, prompt.encode(), become
    )


def _word() -> str:
    return f"rmqops-{os.urandom(12).hex()}"  # not `secrets`, which brings hmac and random to each start
