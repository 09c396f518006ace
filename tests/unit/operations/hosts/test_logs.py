"""Lines of several hosts in one order."""

from __future__ import annotations

import pytest

from rmqops.errors import HostUnreachable, UsageError
from rmqops.model.commands import Command
from rmqops.model.topology import Reachable
from rmqops.operations.hosts import logs
from rmqops.operations.hosts.logs import LogLine
from rmqops.transport.fake import FakeTransport
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


def test_a_host_that_is_down_does_not_hide_the_lines_of_the_others() -> None:
    made = topology(members=2, nameservers=1)
    for item in made.instances:
        item.variables["rocketmq_log_dir"] = f"/logs/{item.name}"  # type: ignore[index]
    asked: list[Command] = []

    def answer(command: Command) -> tuple[int, str]:
        asked.append(command)
        return 0, "broker.log 2026-01-01T09:00:01.000Z INFO up\n"

    def reach(item: Reachable) -> FakeTransport:
        if item == made.brokers[1]:
            raise HostUnreachable("broker-a-1 does not answer")
        return FakeTransport(answer)

    lines, errors = logs.recent(made.brokers, ["broker.log"], 5, reach)
    assert lines == (LogLine("broker-a-0", "broker.log", "2026-01-01T09:00:01.000Z INFO up"),)
    assert [str(error) for error in errors] == ["broker-a-1 does not answer"]
    assert asked[0].argv[4:] == ("/logs/broker-a-0", "5", "broker.log")


def test_each_instance_is_followed_by_a_job_of_its_own() -> None:
    made = topology(members=2)
    for item in made.instances:
        item.variables["rocketmq_log_dir"] = f"/logs/{item.name}"  # type: ignore[index]
    jobs = logs.follow(made.brokers, [], 3)
    assert [job.name for job in jobs] == ["broker-a-0", "broker-a-1"]
    assert jobs[0].command.argv[4:] == ("/logs/broker-a-0", "3", "console.log", "broker.log")
