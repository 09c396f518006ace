"""What goes on until it is closed, over a pipe that is a script of answers."""

from __future__ import annotations

import pytest

from rmqops.errors import HostUnreachable
from rmqops.transport import wrapping
from rmqops.transport.conversation import Conversation
from rmqops.transport.running import RunningCommand


class Script:
    """A process that answers each look with the next words, and ends after them."""

    def __init__(self, *answers: tuple[bytes, bytes] | Exception) -> None:
        self.answers = list(answers)
        self.ended = False

    def receive(self, wait: float) -> tuple[bytes, bytes, bool]:
        if not self.answers:
            return b"", b"", True
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return (*answer, False)

    def send(self, data: bytes) -> int:
        return len(data)

    def shut(self) -> None:
        pass

    def code(self) -> int:
        return 3

    def end(self) -> None:
        self.ended = True


def running(*answers: tuple[bytes, bytes] | Exception) -> tuple[RunningCommand, Script]:
    wrapped = wrapping.opened(("cat",), None)
    mark = wrapped.mark or b""
    script = Script((mark, mark), *answers)
    return RunningCommand(script, Conversation(wrapped, None, "h"), 20), script


def test_lines_are_whole_whatever_comes_at_once() -> None:
    command, script = running((b"a\nb", b""), (b"c\n\n", b""), (b"last", b""))
    with command as entered:
        assert list(entered) == ["a", "bc", "", "last"]
    assert command.returncode == 3
    assert script.ended


def test_a_line_without_end_comes_in_pieces() -> None:
    command, _ = running((b"x" * (1 << 20), b""), (b"y", b""), (b"\nz\n", b""))
    assert [len(line) for line in command] == [(1 << 20) + 1, 0, 1]


def test_a_lost_connection_is_an_error_to_the_reader_and_none_at_the_close() -> None:
    lost = HostUnreachable("h: the connection was lost")
    command, script = running((b"a\n", b""), lost, lost)
    lines = iter(command)
    assert next(lines) == "a"
    with pytest.raises(HostUnreachable):
        next(lines)
    command.close()
    assert script.ended
    assert command.returncode is None
