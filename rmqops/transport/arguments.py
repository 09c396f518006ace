"""The ssh arguments of an inventory or an ansible.cfg, such as ``ansible_ssh_common_args``, read for names. PURE.

OpenSSH's own resolver does the merging (see :mod:`rmqops.transport.openssh`). This reads the arguments first, so
that one which paramiko would not honour is refused by its name, and Ansible and rmqops never reach a host in two
different ways.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import Final

from rmqops.transport import ssh_options

_WITH_VALUE: Final = {
    "-i": "identityfile", "-p": "port", "-J": "proxyjump", "-l": "user", "-F": "configfile", "-b": "bindaddress",
    "-c": "ciphers", "-m": "macs", "-S": "controlpath",
}  # fmt: skip
_ALONE: Final = {
    "-4": "addressfamily", "-6": "addressfamily", "-A": "forwardagent", "-C": "compression", "-M": "controlmaster",
    "-T": "requesttty", "-a": "forwardagent", "-k": "gssapidelegatecredentials", "-q": "loglevel",
    "-t": "requesttty", "-tt": "requesttty", "-v": "loglevel", "-vv": "loglevel", "-vvv": "loglevel",
    "-x": "forwardx11",
}  # fmt: skip
UNVERIFIED: Final = frozenset({"no", "off", "false"})
"""Values of StrictHostKeyChecking that turn host keys off."""


class NotUnderstood(Exception):
    """An argument that rmqops does not honour; the message names it, ``remedy`` says what to do."""

    def __init__(self, message: str, remedy: str = "Take it out") -> None:
        super().__init__(message)
        self.remedy = remedy


@lru_cache(maxsize=256)  # asked for each instance and each command; a fleet has a few
def read(text: str) -> tuple[str, ...]:
    """Split arguments as Ansible does and return them, all of them honoured.

    Raises:
        NotUnderstood: one is not.
    """
    words = _split(text)
    for _, key, value in _options(words):
        option = ssh_options.of(key)
        if key != "configfile" and option.treatment in {"named", "refused"} and not ssh_options.is_off(value):
            raise NotUnderstood(f"option {key!r} is not one that rmqops honours", f"Take it out: {option.remedy}")
    return words


def without_verification(words: Sequence[str]) -> str | None:
    """Return the value of a StrictHostKeyChecking among arguments that turns host keys off; None without one."""
    first = next((value for _, key, value in _options(words) if key == "stricthostkeychecking"), "")
    return first if first.lower() in UNVERIFIED else None


def without(words: Sequence[str], names: Collection[str]) -> tuple[str, ...]:
    """Return arguments less those that set some options, which are named in lower case."""
    return tuple(word for given, key, _ in _options(words) if key not in names for word in given)


def file_of(words: Sequence[str]) -> tuple[str, ...]:
    """Return the ``-F file`` among arguments: the only one that a jump takes over."""
    return next((given for given, key, _ in _options(words) if key == "configfile"), ())


def _split(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise NotUnderstood(f"cannot be split into words ({error})", "Close its quotes") from error


def _options(words: Sequence[str]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield each option: its words, the name of what it sets in lower case, and its value if it has one."""
    rest = iter(words)
    for word in rest:
        flag, joined = word[:2], word[2:]
        if word in _ALONE:
            yield (word,), _ALONE[word], ""
            continue
        if flag not in {*_WITH_VALUE, "-o"}:
            raise NotUnderstood(f"option {word!r} is not one that rmqops honours")
        value = joined or next(rest, None)
        if value is None:
            raise NotUnderstood(f"option {word!r} has no value", "Give it one")
        given = (word,) if joined else (word, value)
        if flag != "-o":
            yield given, _WITH_VALUE[flag], value
        else:
            key, _, setting = value.strip().replace("=", " ", 1).partition(" ")
            yield given, key.lower(), setting.strip().strip('"')
