"""Waits of a script on a host: until a condition holds, for so many seconds and never for so many tries. PURE.

A try takes a moment on an idle host and seconds on one that a fault burdens, so a wait that counts tries outlives
the time-out of its command: the drill then ends with an error in place of the script's own reason. Here one number
is both: the script gives up after ``seconds``, and its command may take :data:`MARGIN` longer.

The clock is ``/proc/uptime``: every Linux has it, the shell reads it without another process, and nobody sets it,
unlike the clock of ``date``, which a fault may step.
"""

from __future__ import annotations

import math

from rmqops.model.commands import TIMEOUT, Command, Script

MARGIN = TIMEOUT
"""Seconds for what a script does besides waiting, and for the last look at its condition."""

# `within SECONDS` sets a bound from now on, `overdue` exits with 0 when it has passed, and `wait_until COMMAND…`
# runs a command of the script until it exits with 0, or did not in a last look that began after the bound. It
# rests longer from look to look, from 0.02 s to 0.2 s, and as long as the last look took, up to 1 s: one at all
# processes may be slow, and is to leave time to a host that has none to spare.
SHELL = """
uptime() { IFS=' .' read -r uptime part _ < /proc/uptime && uptime=$((uptime * 100 + 1$part - 100)); }
within() { uptime && bound=$((uptime + $1 * 100)); }
overdue() { ! uptime || [ "$uptime" -ge "$bound" ]; }
wait_until() {
  pause=1
  until uptime && looked=$uptime && "$@"; do
    [ "$looked" -lt "$bound" ] && uptime || return 1
    pause=$((pause < 16 ? pause * 2 : 20)) took=$((uptime - looked)) left=$((bound - uptime))
    took=$((took < 100 ? took : 100)) left=$((left > 0 ? left : 0))
    rest=$((took > pause ? took : pause))
    rest=$((100 + (rest < left ? rest : left)))
    sleep "$((rest / 100 - 1)).${rest#?}" 2> /dev/null || sleep 1
  done
}
"""


def script(text: str, *arguments: str, seconds: float) -> Script:
    """Return a script that may wait.

    Args:
        text: Calls ``wait_until``; all its waits together end after ``seconds``, unless it says ``within`` again.
        arguments: What it is given as ``$1``, ``$2`` ….
        seconds: The bound, from the script's start; whole seconds, rounded up.
    """
    return Script(f"{SHELL}within {math.ceil(seconds)}\n{text}", arguments)


_REPEATED = """
look() { said=$(/bin/sh -c "$@" 2>&1); }
wait_until look "$@" || { printf '%s\\n' "$said" >&2; exit 1; }
"""


def repeated(look: Script, *, seconds: float, work: float = 0) -> Command:
    """Return the command that runs a script again and again, until it exits with 0; else its last words are told.

    Args:
        look: A script that looks once, and is whole by itself.
        seconds: As for :func:`script`.
        work: As for :func:`command`; a look that is under way when the bound passes is such work.
    """
    return command(_REPEATED, look.text, "rmqops", *look.arguments, seconds=seconds, work=work)


def command(
    text: str, *arguments: str, seconds: float, work: float = 0, become: bool = True, user: str = ""
) -> Command:
    """Return the command of a :func:`script`, whose time-out is longer than the script waits.

    Args:
        text: As for :func:`script`.
        arguments: As for :func:`script`.
        seconds: As for :func:`script`.
        work: Seconds that it may take besides, such as for a start of the instance.
        become: As for a :class:`~rmqops.model.commands.Command`.
        user: As whom it runs there, if root runs it.
    """
    made = script(text, *arguments, seconds=seconds).as_user(user)
    return made.command(timeout=math.ceil(seconds) + work + MARGIN, become=become)
