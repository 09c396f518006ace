"""Ansible's modules need a whole Python 3.8 or later; ``python3-minimal`` lacks parts of it.

Which one: ``ansible_python_interpreter``, else the first of those that ansible-core 2.19 itself looks for
(``INTERPRETER_PYTHON_FALLBACK``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rmqops.model.commands import Command
from rmqops.operations.check.probes import Finding, Survey, failed, ok
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer

SUMMARY = "A whole Python 3.8 or later is there, as ansible-core 2.19 needs it for its modules."
WANTED = "Python 3.8 or later with its whole library"
REMEDY = "Install the package python3 (Debian: python3, not python3-minimal alone)"
CANDIDATES: Final = (*(f"python3.{minor}" for minor in range(13, 7, -1)), "/usr/bin/python3", "python3")

_MODULES: Final = (
    "ast base64 copy dataclasses email errno fcntl functools grp hashlib importlib inspect io itertools json "
    "locale logging os platform pwd re runpy select selectors shlex shutil signal socket stat subprocess syslog "
    "tempfile time traceback typing uuid zipfile"
)
_LOOK: Final = """
import sys
def absent(name): return all(finder.find_spec(name) is None for finder in sys.meta_path)
missing = [name for name in sys.argv[1].split() if absent(name)]
print("%d.%d.%d" % sys.version_info[:3], ",".join(missing) or "-")
"""
_SCRIPT: Final = """
look=$1 modules=$2
shift 2
for python; do
  command -v "$python" > /dev/null || continue
  printf '%s ' "$(command -v "$python")"
  "$python" -I -S -c "$look" "$modules" || echo broken
  exit 0
done
"""


def interpreters(machine: Machine, survey: Survey) -> tuple[str, ...]:
    """Return the interpreters that Ansible would try, in its order; on this machine the one that runs rmqops."""
    named = survey.python if machine.local else machine.setting("ansible_python_interpreter")
    return CANDIDATES if not named or named.startswith("auto") else (named,)


def ask(machine: Machine, survey: Survey) -> Iterator[Command]:
    """Start the interpreter and let it look for what modules load."""
    yield Command.shell(_SCRIPT, _LOOK, _MODULES, *interpreters(machine, survey))


def judge(machine: Machine, answers: tuple[Answer, ...], survey: Survey) -> Iterator[Finding]:
    """Hold version and library against what Ansible needs."""
    match = re.fullmatch(r"(\S+) (\d+)\.(\d+)\.(\d+) (\S+)\n", answers[0].output)
    if match is None:
        tried = interpreters(machine, survey)
        text = answers[0].output.strip() or f"none of {', '.join(tried)}" if len(tried) > 1 else f"no {tried[0]}"
        broken = "Set ansible_python_interpreter to one that starts"
        yield failed(text, WANTED, broken if answers[0].output else REMEDY)
        return
    path, version = match[1], f"{match[2]}.{match[3]}.{match[4]}"
    if (int(match[2]), int(match[3])) < (3, 8):
        remedy = "Install a later one and name it in ansible_python_interpreter"
        yield failed(f"{path}, Python {version}", WANTED, remedy)
    elif match[5] != "-":
        yield failed(f"{path}, Python {version}, without {match[5].replace(',', ', ')}", WANTED, REMEDY)
    else:
        yield ok(f"{path}, Python {version}", WANTED)
