"""OpenSSH's own answer to what it would do with some arguments, asked for by ``ssh -G`` without connecting.

It reads ``~/.ssh/config`` and the system's own (``Include``, ``Match`` and tokens as well), so precedence is
OpenSSH's because it is OpenSSH that decides. What it says without any file is what nobody has set.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rmqops.errors import PreflightFailed, ToolMissing
from rmqops.system.language import in_english
from rmqops.transport import ssh_options


@dataclass(frozen=True)
class Answer:
    """The options of one host, as ``ssh -G`` prints them; several lines of one option are several values."""

    options: Mapping[str, tuple[str, ...]]

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of an option that names something; ``none`` names nothing."""
        return tuple(value for value in self.options.get(name, ()) if value != "none")

    def first(self, name: str) -> str:
        """Return the value of an option; empty where ssh prints none."""
        return self.options.get(name, ("",))[0]

    def chosen(self, name: str) -> str:
        """Return the value of an option that somebody has set; empty where it is what ssh does by itself."""
        return "" if self.options.get(name) == _unset().get(name) else self.first(name)

    def files(self, name: str) -> tuple[str, ...]:
        """Return the files of an option that takes several in one line; a name may hold blanks."""
        found: list[str] = []
        for word in self.first(name).split(" "):
            # ssh prints names without quotes. Each is absolute, so what is not belongs to the one before.
            if found and not word.startswith(("/", "~", "%", "none")):
                found[-1] += f" {word}"
            else:
                found.append(word)
        return tuple(file for file in found if file and file != "none")

    @property
    def not_honoured(self) -> tuple[tuple[str, str, str], ...]:
        """The options that are set and that rmqops cannot do: name, value, what to do instead."""
        return tuple(
            (name, values[0], option.remedy)
            for name, values in self.options.items()
            if (option := ssh_options.of(name)).treatment in {"named", "refused"}
            and values != _unset().get(name)
            and not ssh_options.is_off(values[0])
        )


def ask(argv: Sequence[str]) -> Answer:
    """Ask ssh what it would do.

    Args:
        argv: Arguments of ssh, the host's name last.

    Raises:
        ToolMissing: there is no ssh on this machine.
        PreflightFailed: ssh cannot make sense of its configuration, or it has an option without which rmqops would
            log in where or as it must not.
    """
    host = argv[-1]
    done = _run(argv)
    if done.returncode != 0:
        raise PreflightFailed(
            f"{host}: ssh cannot make sense of its configuration",
            detail=done.stderr.strip(),
            remedy="correct ~/.ssh/config, or the ssh arguments in the inventory or in ansible.cfg",
        )
    answer = Answer(_parsed(done.stdout))
    for name, value, remedy in answer.not_honoured:
        if ssh_options.of(name).treatment == "refused":
            raise PreflightFailed(
                f"{host}: rmqops cannot do what ssh is configured to do: {name} {value}", remedy=remedy
            )
    return answer


@cache
def _unset() -> Mapping[str, tuple[str, ...]]:
    return _parsed(_run(["-F", "none", "localhost"]).stdout)


def own_identities() -> frozenset[str]:
    """Return the key files that ssh tries when none is named, as it prints them."""
    return frozenset(_unset().get("identityfile", ()))


def shared_known_hosts() -> tuple[str, ...]:
    """Return the files of host keys that are trusted for every user of this machine."""
    return Answer(_unset()).files("globalknownhostsfile")


def _run(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["ssh", "-T", "-G", *argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            env=in_english(os.environ),
            check=False,
        )
    except FileNotFoundError as error:
        raise ToolMissing("there is no ssh on this machine", remedy="install openssh-client") from error


def _parsed(text: str) -> dict[str, tuple[str, ...]]:
    settings: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        settings[key.lower()] = (*settings.get(key.lower(), ()), value)
    return settings


def expanded(text: str, tokens: Mapping[str, str]) -> str:
    """Return a text with its tokens (TOKENS of ssh_config(5)) replaced."""
    parts = text.split("%%")
    for token, value in tokens.items():
        parts = [part.replace(f"%{token}", value) for part in parts]
    return "%".join(parts)


def path(text: str, tokens: Mapping[str, str]) -> str:
    """Return a file's path, its tokens and ``~`` replaced."""
    file = Path(expanded(text, tokens))
    return str(Path(home(), *file.parts[1:]) if file.parts[:1] == ("~",) else file.expanduser())


@cache
def home() -> str:
    """Return the user's home as ssh takes it: from the list of users, whatever HOME says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return str(Path.home())
