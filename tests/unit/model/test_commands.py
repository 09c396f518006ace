"""Scripts and the commands made from them, run for real by /bin/sh here."""

from __future__ import annotations

import shutil

import pytest

from rmqops.model.commands import Command, Script
from tests.support.here import must, run
from tests.support.planting import NOBODY, ground, needs_root

SAYS = Script('printf "%s|" "$0" "$#" "$@"', ("it's", "", "$HOME\n"))
FAILS = Script("exit 7")


def test_a_script_is_given_its_arguments_as_they_are() -> None:
    assert run(SAYS.command()).stdout == "rmqops|3|it's||$HOME\n|"
    assert SAYS.command(timeout=5, become=False) == Command.shell(
        SAYS.text, *SAYS.arguments, timeout=5, become=False
    )


def test_each_of_two_scripts_has_its_own_arguments() -> None:
    many = Script('echo "$#" "${12}"', tuple(map(str, range(1, 13))))
    both = SAYS.then(many).then(Script('echo "$1"', ("last",)))
    assert run(both.command()).stdout == "rmqops|3|it's||$HOME\n|12 12\nlast\n"


@pytest.mark.parametrize(("script", "code"), [(FAILS.then(SAYS), 7), (SAYS.then(FAILS), 7), (SAYS.then(SAYS), 0)])
def test_the_second_script_runs_only_after_the_first_has_worked(script: Script, code: int) -> None:
    done = run(script.command())
    assert done.code == code
    assert done.stdout.count("rmqops") == {FAILS.then(SAYS): 0, SAYS.then(FAILS): 1}.get(script, 2)


def test_a_script_that_leaves_its_shell_does_not_keep_the_next_from_running() -> None:
    assert must(Script("exit 0").then(Script("exec echo on")).command()) == "on"


def test_a_command_knows_the_script_that_it_runs() -> None:
    assert SAYS.command().script == SAYS
    assert SAYS.then(FAILS).command().script == SAYS.then(FAILS)
    assert Command(("echo", "-c", "exit 7")).script is None


WHO = Script('echo "$(id -un) $(id -gn) $(id -G | wc -w) $1"', ("it's",))


@needs_root
def test_a_script_runs_as_a_user_if_root_runs_it() -> None:
    assert must(WHO.as_user("").command()).startswith("root ")
    assert must(WHO.as_user("root").command()).startswith("root ")
    assert must(WHO.as_user(NOBODY).command()) == "nobody nogroup 1 it's"
    both = WHO.as_user(NOBODY).then(WHO)
    assert [line.split()[0] for line in must(both.command()).splitlines()] == ["nobody", "root"]
    assert not run(WHO.as_user("no-such-user").command()).ok
    inner = WHO.as_user(NOBODY)
    drop = 'exec setpriv --reuid nobody --regid nogroup --clear-groups /bin/sh -c "$@"'
    again = Script(drop, inner.command().argv[2:])
    assert must(again.command()) == "nobody nogroup 1 it's", "who is not root stays who he is"


@needs_root
@pytest.mark.parametrize(("tools", "answer"), [(("runuser",), "nobody"), ((), "neither setpriv nor runuser")])
def test_a_host_may_lack_setpriv(tools: tuple[str, ...], answer: str) -> None:
    with ground() as commands:
        for name in ("id", "wc", *tools):
            (commands / name).symlink_to(str(shutil.which(name)))
        made = WHO.as_user(NOBODY)
        done = run(Script(f"PATH={commands}; {made.text}", made.arguments).command())
    assert answer in done.stdout + done.stderr
