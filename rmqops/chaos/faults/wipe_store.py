"""A member loses its disk: ``kill -9`` of the broker, then all that its store holds is gone.

What is lost is everything that it knew: messages, queues, topics, offsets, and the term in which it last voted.
Started again, it is an empty member that must copy everything from the master. The process stays dead until the
heal, also where systemd would start it again. On a majority at once, what was acknowledged is gone for good.
Imitates a new disk or a new machine under the old name; not a disk that fails while the broker goes on.

The directory itself stays, because it may be a mount, and so does the mark in it. What it holds is first moved
aside within it, which takes no time, and then removed, so that one who starts the broker too early does not find
half of it. All of that is done as the store's owner.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import processes, store_directory
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.model.commands import Command, Script

SUMMARY = "kill -9, and all that the store holds is removed; healed by starting it, empty, again"
OPTIONS: dict[str, Option] = {}

VERIFY_SECONDS = 10

# $1 home, $2 store, $3 where its content is moved to; a directory inside it that did not exist before
_WIPE = """
[ -d "$2" ] && [ ! -L "$2" ] && [ -e "$2/lock" ] || { echo "$2 is not the store any more" >&2; exit 1; }
mkdir "$3" || exit 1
for entry in "$2"/* "$2"/.[!.]* "$2"/..?*; do
  case $entry in "$3" | "$2/.rmqops" | "$2/lost+found") continue ;; esac
  { [ -e "$entry" ] || [ -L "$entry" ]; } || continue
  mv -- "$entry" "$3/" || exit 1
done
rm -rf --one-file-system -- "$3"
"""

_VERIFY = """
! "$1/current/bin/pid.sh" > /dev/null || { echo "$1 runs" >&2; exit 1; }
[ -d "$2" ] || { echo "$2 is gone itself" >&2; exit 1; }
left=$(find "$2" -mindepth 1 ! -path "$2/.rmqops" ! -path "$2/lost+found" | head -n 3)
[ -z "$left" ] || { echo "the store still holds $left" >&2; exit 1; }
"""

_REMOVE = 'rm -rf --one-file-system -- "$1"'
_START = 'exec "$1/current/bin/start.sh"'


def requires(aim: Aim) -> Command:
    """Probe that the store is the running process's own."""
    return store_directory.probe(aim.instance).command()


def plan(aim: Aim, probe_output: str) -> FaultPlan:
    """Return the plan; ``probe_output`` is the process id."""
    home, directory = aim.instance.home, store_directory.directory(aim.instance)
    aside, user = f"{directory}/wiped-{aim.fault}", aim.instance.service_user
    healing = Script(_REMOVE, (aside,)).as_user(user).then(Script(_START, (home,)))
    return FaultPlan(
        inject=processes.kill(
            aim.instance, probe_output.strip(), Script(_WIPE, (home, directory, aside)).as_user(user)
        ),
        verify=Script(_VERIFY, (home, directory)).as_user(user).command(timeout=VERIFY_SECONDS),
        heal=healing.command(timeout=processes.start(aim.instance).timeout + 60),
        healed=store_directory.healed(aim.instance, aside),
    )
