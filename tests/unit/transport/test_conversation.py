"""What is sent when, and what an exit code of ``timeout`` means; the process is a script of answers."""

from __future__ import annotations

import pytest

from rmqops.errors import BecomeRefused, HostUnreachable, OperationFailed
from rmqops.model.secret import Secret
from rmqops.transport import conversation, wrapping
from rmqops.transport.conversation import Conversation
from rmqops.transport.wrapping import Become, Wrapped


class Script:
    """A process that answers each look with the next words, and keeps what it was sent."""

    def __init__(self, *answers: tuple[bytes, bytes], code: int = 0) -> None:
        self.answers = list(answers)
        self.sent = b""
        self.closed = False
        self._code = code

    def receive(self, wait: float) -> tuple[bytes, bytes, bool]:
        return (*self.answers.pop(0), False) if self.answers else (b"", b"", True)

    def send(self, data: bytes) -> int:
        self.sent += data[:3]
        return len(data[:3])

    def shut(self) -> None:
        self.closed = True

    def code(self) -> int:
        return self._code

    def end(self) -> None:
        self.closed = True


class Clock:
    """Time that passes by a tenth of a second whenever somebody looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.1
        return self.now


def sudo() -> Wrapped:
    return wrapping.run(("true",), 5, Become("root", Secret("s3cret")))


def test_the_password_only_after_the_prompt_and_the_input_only_after_the_mark() -> None:
    wrapped = sudo()
    assert wrapped.prompt
    assert wrapped.mark
    talk = Conversation(wrapped, b"input", "h")
    assert talk.unsent == b""
    talk.heard(b"motd\n", b"lecture " + wrapped.prompt[:9])
    assert talk.unsent == b""
    talk.heard(b"", wrapped.prompt[9:])
    assert talk.unsent == b"s3cret\n"
    talk.sent(7)
    assert not talk.finished_input
    talk.heard(wrapped.mark + b"out", b"")
    started = talk.started
    assert not started
    talk.heard(b"", b"\n" + wrapped.mark + b"err")
    assert talk.started
    assert talk.unsent == b"input"
    assert (bytes(talk.out), bytes(talk.err)) == (b"out", b"err")
    talk.sent(5)
    assert talk.finished_input


def test_a_second_prompt_is_a_wrong_password() -> None:
    wrapped = sudo()
    talk = Conversation(wrapped, b"", "h")
    talk.heard(b"", wrapped.prompt or b"")
    with pytest.raises(BecomeRefused, match="h: sudo does not take the password"):
        talk.heard(b"", wrapped.prompt or b"")


def test_the_password_is_in_no_argv() -> None:
    assert "s3cret" not in " ".join(sudo().argv)
    assert "s3cret" not in repr(sudo())


def test_a_process_that_ends_before_its_command() -> None:
    wrapped = wrapping.run(("true",), 5, None)
    with pytest.raises(HostUnreachable, match="ended before true was started") as caught:
        conversation.start(Script((b"", b"This account is closed.\n")), Conversation(wrapped, b"", "h"), Clock())
    assert caught.value.detail == "This account is closed."


def test_a_process_that_never_comes_to_its_command() -> None:
    class Silent(Script):
        def receive(self, wait: float) -> tuple[bytes, bytes, bool]:
            return b"", b"", False

    with pytest.raises(HostUnreachable, match=r"not started within 0\.1 s"):
        conversation.start(Silent(), Conversation(wrapping.run(("true",), 5, None), b"", "h"), Clock(), 0.1)


@pytest.mark.parametrize(("code", "age", "late"), [(124, 5, True), (137, 6, True), (124, 1, False), (0, 9, False)])
def test_what_an_exit_code_of_timeout_means(code: int, age: float, late: bool) -> None:
    wrapped = wrapping.run(("true",), 5, None)
    mark = wrapped.mark or b""
    process, talk = (
        Script((mark, mark), (b"out", b""), *[(b"", b"")] * 3, code=code),
        Conversation(wrapped, b"input", "h"),
    )
    clock = Clock()
    clock.now = 100.0
    conversation.start(process, talk, clock)
    if late:
        with pytest.raises(OperationFailed, match="h: true did not end within 5 s"):
            conversation.complete(process, talk, 5, clock.now - age, clock)
    else:
        done = conversation.complete(process, talk, 5, clock.now - age, clock)
        assert (done.code, done.out, process.sent) == (code, b"out", b"input")
        assert process.closed
