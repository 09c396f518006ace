"""Lines of several hosts in one order, and several commands in one stream."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from rmqops.errors import OperationFailed, UsageError
from rmqops.model.commands import Command
from rmqops.operations.hosts import execute, logs
from rmqops.operations.hosts.logs import LogLine
from rmqops.operations.hosts.streams import End, Job, Streams
from rmqops.operations.hosts.streams import Line as Said
from rmqops.transport.fake import FakeRunning, FakeTransport
from tests.support.instances import instance, topology


def test_lines_are_in_the_order_of_their_times() -> None:
    one = [
        LogLine("a", "console.log", "no time"),
        LogLine("a", "broker.log", "2026-01-01T10:00:00.000+01:00 INFO first"),
        LogLine("a", "broker.log", "  at some.stack.Trace"),
        LogLine("a", "broker.log", "2026-01-01T09:00:02.000Z INFO fourth"),
    ]
    two = [
        LogLine("b", "broker.log", "2026-01-01T09:00:01.000Z INFO second"),
        LogLine("b", "broker.log", ""),
    ]
    told = [item.text for item in logs.merged([one, two])]
    assert told == [one[0].text, one[1].text, one[2].text, two[0].text, two[1].text, one[3].text]


def test_the_logs_of_an_instance() -> None:
    server = instance("n", "/nowhere", kind="namesrv")
    assert logs.files(server, []) == ("console.log", "namesrv.log")
    assert logs.files(server, ["store.log"]) == ("store.log",)
    for name in ("../../etc/passwd", "a/b", "-rf", "", "a b"):
        with pytest.raises(UsageError, match="no name of a log"):
            logs.files(server, [name])


def test_what_a_host_says_is_read_back() -> None:
    assert logs.line("a", "broker.log some  words") == LogLine("a", "broker.log", "some  words")
    assert logs.line("a", "broker.log ") == LogLine("a", "broker.log", "")


def job(name: str, **options: object) -> Job:
    return Job(name, instance(name, "/nowhere"), Command(("a",), **options))  # type: ignore[arg-type]


def test_streams_tell_every_line_and_every_end() -> None:
    def answer(_: Command) -> tuple[int, str]:
        return 3, "x\ny\n"

    transport = FakeTransport(answer)
    with Streams([job("a"), job("b")], forks=1, transports=lambda _: transport) as streams:
        said = list(streams)
    assert [item.text for item in said if isinstance(item, Said)] == ["x", "y"] * 2
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


def test_what_exec_runs() -> None:
    made = topology()
    for item in made.instances:
        item.variables["rocketmq_log_dir"] = "/logs"  # type: ignore[index]
    [once] = execute.jobs(made, [], ["uptime"])
    assert (once.name, once.command.argv) == ("localhost", ("uptime",))
    each = execute.jobs(made, ["namesrv"], ["sh", "-c", "x"])
    assert [item.name for item in each] == ["namesrv-1", "namesrv-2", "namesrv-3"]
    assert each[0].command.argv[:2] == ("env", "RMQOPS_INSTANCE=namesrv-1")
    with pytest.raises(UsageError, match="no instance or group nobody"):
        execute.jobs(made, ["nobody"], ["x"])
