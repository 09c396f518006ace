"""Several commands in one stream, and what ends them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from rmqops.errors import OperationFailed
from rmqops.model.commands import Command
from rmqops.operations.hosts.streams import End, Job, Line, Streams
from rmqops.transport.fake import FakeRunning, FakeTransport
from tests.support.instances import instance


def job(name: str, **options: object) -> Job:
    return Job(name, instance(name, "/nowhere"), Command(("a",), **options))  # type: ignore[arg-type]


def test_streams_tell_every_line_and_every_end() -> None:
    def answer(_: Command) -> tuple[int, str]:
        return 3, "x\ny\n"

    transport = FakeTransport(answer)
    with Streams([job("a"), job("b")], forks=1, transports=lambda _: transport) as streams:
        said = list(streams)
    assert [item.text for item in said if isinstance(item, Line)] == ["x", "y"] * 2
    assert [(item.name, item.code, item.ok) for item in said if isinstance(item, End)] == [
        ("a", 3, False),
        ("b", 3, False),
    ]
    assert all(process.closed for process in transport.opened)


def test_a_host_that_fails_does_not_stop_the_others() -> None:
    def reach(item: object) -> FakeTransport:
        if getattr(item, "name", "") == "bad":
            raise OperationFailed("bad: not there")
        return FakeTransport(lambda _: (0, ""))

    with Streams([job("bad"), job("good")], forks=2, transports=reach) as streams:
        ends = {item.name: item for item in streams if isinstance(item, End)}
    assert str(ends["bad"].error) == "bad: not there"
    assert ends["good"].ok


class Endless(FakeRunning):
    """Says a line again and again until it is closed."""

    def __init__(self) -> None:
        super().__init__(143, ())
        self.over = threading.Event()

    def __iter__(self) -> Iterator[str]:
        while not self.over.is_set():
            yield "line"
            time.sleep(0.001)

    def close(self) -> None:
        super().close()
        self.over.set()


class EndlessTransport(FakeTransport):
    def __init__(self) -> None:
        super().__init__(lambda _: (0, ""))

    def open(self, command: Command, *, talk: bool = False) -> FakeRunning:
        self.opened.append(Endless())
        return self.opened[-1]


def test_leaving_streams_ends_what_runs() -> None:
    transport = EndlessTransport()
    with Streams([job(str(n)) for n in range(5)], forks=2, transports=lambda _: transport) as streams:
        next(iter(streams))
    assert transport.opened
    assert all(process.closed for process in transport.opened)


def test_a_job_that_takes_too_long_is_ended() -> None:
    transport = EndlessTransport()
    with Streams([job("a")], forks=1, timeout=0.2, transports=lambda _: transport) as streams:
        [end] = [item for item in streams if isinstance(item, End)]
    assert "a: did not end within 0.2 s" in str(end.error)
