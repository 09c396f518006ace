"""What passes between rmqops and a process before and while a command runs: the password, the mark, input, output.

:class:`Conversation` is PURE: it is told what the process said and says what to send, so that the order of things
(a password only after sudo's own prompt, input only after the mark) is tested without a process. :func:`start`
and :func:`complete` lead it to its end over a pipe and by a clock that are handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from rmqops.errors import BecomeRefused, HostUnreachable, OperationFailed
from rmqops.transport.wrapping import KILL_AFTER, Wrapped

START: Final = 20.0
"""Seconds until a host must have started a command, sudo included."""
GRACE: Final = KILL_AFTER + 5.0
"""Seconds that a host may take to end a command after its time-out."""
LINGER: Final = 1.0
"""Seconds that are given to a child of an ended command which still holds its output."""
_TICK: Final = 0.5
_CHUNK: Final = 32768

Clock = Callable[[], float]
"""What tells the time, in seconds that only grow, such as ``time.monotonic``."""


class Pipe(Protocol):
    """The ends of a process's three streams."""

    def receive(self, wait: float) -> tuple[bytes, bytes, bool]:
        """Return what it has said on each output, and whether it has ended; wait that many seconds at most.

        Raises:
            HostUnreachable: the connection is gone.
        """

    def send(self, data: bytes) -> int:
        """Take as much input as it can without waiting, and return how many bytes that was."""

    def shut(self) -> None:
        """End its input."""

    def code(self) -> int:
        """Return its exit code, once it has ended."""

    def end(self) -> None:
        """Let go of it, and end it as far as that can be done from here. May be called again."""


@dataclass(frozen=True)
class Output:
    """What a process did."""

    code: int
    out: bytes
    err: bytes


class Conversation:
    """The state of one command's start and input."""

    def __init__(self, wrapped: Wrapped, stdin: bytes | None, host: str) -> None:
        self.started = wrapped.mark is None
        self.out = bytearray()
        self.err = bytearray()
        self.host = host
        self.wrapped = wrapped
        self._stdin = stdin
        self._unsent = bytearray()
        self._answered = False
        if self.started:
            self._begin()

    @property
    def unsent(self) -> bytes:
        """What is to be sent next."""
        return bytes(self._unsent[:_CHUNK])

    @property
    def finished_input(self) -> bool:
        """Whether the input may be ended now; it is never for a command that was given none."""
        return self.started and self._stdin is not None and not self._unsent

    def sent(self, count: int) -> None:
        """Take note that so many bytes were sent."""
        del self._unsent[:count]

    def heard(self, out: bytes, err: bytes) -> None:
        """Take what the process said.

        Raises:
            BecomeRefused: sudo asks for the password a second time.
        """
        self.out += out
        self.err += err
        if not self.started:
            self._before_the_mark()

    def _before_the_mark(self) -> None:
        mark, prompt = self.wrapped.mark or b"", self.wrapped.prompt
        if prompt and self.err.count(prompt) > (1 if self._answered else 0):
            if self._answered:
                raise BecomeRefused(
                    f"{self.host}: sudo does not take the password", remedy="give the login user's own password"
                )
            self._answered = True
            become = self.wrapped.become
            if become and become.password:
                self._unsent += become.password.reveal().encode("utf-8", "surrogateescape") + b"\n"
        if mark in self.out and mark in self.err:
            for stream in (self.out, self.err):
                del stream[: stream.index(mark) + len(mark)]
            self.started = True
            self._begin()

    def _begin(self) -> None:
        self._unsent += self._stdin or b""

    def never_started(self) -> OperationFailed | BecomeRefused:
        """Return the error of a process that ended before it came to its command."""
        errors = self.err.decode("utf-8", "replace")
        if self.wrapped.prompt:
            errors = errors.replace(self.wrapped.prompt.decode(), "")
        detail = errors.strip()[-2000:] or None
        become = self.wrapped.become
        if become is None:
            return HostUnreachable(
                f"{self.host}: the login ended before {self.wrapped.program} was started",
                detail=detail,
                remedy="see that the login user has an ordinary shell and a home directory",
            )
        what, remedy = _refusal(errors, asked=become.password is not None)
        return BecomeRefused(f"{self.host}: cannot become {become.user}: {what}", detail=detail, remedy=remedy)


def _refusal(errors: str, *, asked: bool) -> tuple[str, str]:
    """Tell sudo's refusals apart, as sudo 1.8 and 1.9 word them in English; its own words are the detail."""
    rule = "allow the login user in sudoers, or set ansible_become: false"
    if "sudo: not found" in errors or "sudo: command not found" in errors or "No such file" in errors:
        return "there is no sudo", "install sudo there, or set ansible_become: false and log in as that user"
    if "must have a tty" in errors:
        return "sudo wants a terminal", "take requiretty off the login user in sudoers"
    if "unknown user" in errors:
        return "there is no such user", "correct ansible_become_user"
    if "not in the sudoers" in errors or "not allowed" in errors or "may not run" in errors:
        return "sudo does not allow it", rule
    if not asked:
        return "sudo wants a password", "give --ask-become-pass (-K), or allow it without one in sudoers"
    return "sudo refuses", rule


def start(pipe: Pipe, talk: Conversation, clock: Clock, patience: float = START) -> None:
    """Go as far as the mark.

    Raises:
        HostUnreachable: the host logged us in and then started nothing, or the connection was lost.
        BecomeRefused: sudo refuses.
    """
    end = clock() + patience
    while not talk.started:
        if clock() >= end:
            raise HostUnreachable(
                f"{talk.host}: logged in, but {talk.wrapped.program} was not started within {patience:g} s",
                detail=talk.err.decode("utf-8", "replace").strip()[-2000:] or None,
                remedy="log in there by hand: a forced command, a shell's start-up file or sudo hangs",
            )
        if _step(pipe, talk, end - clock()) and not talk.started:
            raise talk.never_started()


def complete(pipe: Pipe, talk: Conversation, timeout: float, since: float, clock: Clock) -> Output:
    """Go on from the mark to the end of the command.

    Args:
        pipe: The process.
        talk: Its conversation; started.
        timeout: Seconds that it may take; a wrapped one is ended on its host.
        since: When it was started at the earliest, by the same clock: the host's own limit began after that.
        clock: What tells the time.

    Raises:
        OperationFailed: it did not end in time.
        HostUnreachable: the connection was lost.
    """
    wrapped = talk.wrapped.mark is not None
    late = OperationFailed(f"{talk.host}: {talk.wrapped.program} did not end within {timeout:g} s")
    end = clock() + timeout + (GRACE if wrapped else 0)
    shut = False
    while True:
        if talk.finished_input and not shut:
            pipe.shut()
            shut = True
        left = end - clock()
        if left <= 0:
            raise late
        if _step(pipe, talk, left):
            break
    code = pipe.code()
    if wrapped and code in {124, 137} and clock() - since >= timeout:
        raise late
    return Output(code, bytes(talk.out), bytes(talk.err))


def _step(pipe: Pipe, talk: Conversation, left: float) -> bool:
    """Send what can be sent, hear what is said, and tell whether the process has ended."""
    unsent, count = talk.unsent, 0
    if unsent:
        count = pipe.send(unsent)
        talk.sent(count)
    # While it takes what it is sent, nobody waits; a wait a chunk would bound a file's way to 1.6 MB a second.
    wait = (0.0 if count else 0.02) if talk.unsent else max(0.0, min(left, _TICK))
    out, err, ended = pipe.receive(wait)
    talk.heard(out, err)
    return ended
