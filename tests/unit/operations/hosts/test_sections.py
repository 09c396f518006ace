"""Many commands in one script: run for real by /bin/sh here; the clock's bounds are arithmetic."""

from __future__ import annotations

from rmqops.model.commands import Command
from rmqops.operations.hosts import sections
from rmqops.operations.hosts.sections import NEVER, TIMED_OUT, Answer
from rmqops.transport.local import LocalTransport


def run(*commands: Command) -> tuple[Answer, ...]:
    done = LocalTransport().run(sections.joined(commands, 60))
    assert done.ok
    assert done.stderr == ""
    return sections.answers(done.stdout, len(commands))


def test_each_answer_is_what_its_command_printed() -> None:
    assert run(
        Command(("printf", "no newline")),
        Command.shell("echo \"$1\"; echo; echo 'it''s'", "a b  $HOME\n"),
        Command(("true",)),
        Command(("no-such-program",)),
        Command.shell("echo said; echo hidden >&2; exit 7"),
    ) == (
        Answer(0, "no newline"),
        Answer(0, "a b  $HOME\n\n\nits\n"),
        Answer(0, ""),
        Answer(127, ""),
        Answer(7, "said\n"),
    )


def test_a_command_cannot_hang_the_others_or_eat_the_script() -> None:
    answers = run(Command(("sleep", "60"), timeout=0.2), Command(("cat",)), Command(("echo", "on")))
    assert answers == (Answer(TIMED_OUT, ""), Answer(0, ""), Answer(0, "on\n"))


def test_what_was_not_come_to_is_told_apart() -> None:
    done = LocalTransport().run(sections.joined([Command(("echo", "one")), Command(("echo", "two"))], 60))
    cut = done.stdout[: done.stdout.index("two")]
    assert sections.answers(cut, 2) == (Answer(0, "one\n"), NEVER)
    assert sections.answers("", 2) == (NEVER, NEVER)


def test_the_clock_is_bounded_by_the_journey_and_not_by_the_work() -> None:
    # Theirs is 100 s ahead. Sent at 10, read there at 10.2, worked until 30, received at 30.3.
    output = "\x1eclock 110.2\n...\x1eclock 130.0\n"
    low, high = sections.clock(output, 10.0, 30.3) or (0, 0)
    assert round(low, 6) == 99.7
    assert round(high, 6) == 100.2
    once = sections.clock("\x1eclock 110.2\n", 10.0, 30.3) or (0, 0)
    assert [round(bound, 6) for bound in once] == [79.9, 100.2]
    assert sections.clock("", 10.0, 30.3) is None
    assert sections.clock("\x1eclock %N\n\x1eclock %N\n", 10.0, 30.3) is None


def test_values_are_read_by_key() -> None:
    assert Answer(0, "a 1\nb\na 2 3\n").values == {"a": "2 3", "b": ""}
