"""The ssh arguments that an inventory may hold, such as ``ansible_ssh_common_args``, held to what we honour. PURE.

OpenSSH's own resolver does the merging (see :mod:`rmqops.transport.destination`). This reads the arguments first,
so that one which paramiko would not honour is refused by its name, and Ansible and rmqops never reach a host in
two different ways.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

HONOURED: Final = frozenset(
    {
        "certificatefile", "connecttimeout", "globalknownhostsfile", "hostkeyalias", "hostname", "identitiesonly",
        "identityagent", "identityfile", "port", "proxycommand", "proxyjump", "stricthostkeychecking", "user",
        "userknownhostsfile",
    }
)  # fmt: skip
"""What rmqops does as OpenSSH does."""
HARMLESS: Final = frozenset(
    {
        "addkeystoagent", "addressfamily", "batchmode", "checkhostip", "compression", "connectionattempts",
        "controlmaster", "controlpath", "controlpersist", "forwardagent", "forwardx11", "hashknownhosts",
        "loglevel",
        "numberofpasswordprompts", "passwordauthentication", "preferredauthentications", "pubkeyauthentication",
        "requesttty", "serveralivecountmax", "serveraliveinterval", "tcpkeepalive", "updatehostkeys",
    }
)  # fmt: skip
"""What changes nothing for a client that logs in by key, opens no terminal and multiplexes by itself."""
_WITH_VALUE: Final = {"-i": "identityfile", "-p": "port", "-J": "proxyjump", "-l": "user", "-F": "configfile"}
_ALONE: Final = {"-4", "-6", "-C", "-T", "-q", "-v", "-vv", "-vvv", "-x", "-a"}
_UNVERIFIED: Final = {"no", "off", "false"}


class NotUnderstood(Exception):
    """An argument that rmqops does not honour; the message names it."""


@lru_cache(maxsize=256)  # asked for each instance and each command; a fleet has a few
def read(text: str) -> tuple[str, ...]:
    """Split arguments as Ansible does and return them, all of them honoured.

    Raises:
        NotUnderstood: one is not.
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise NotUnderstood(f"cannot be split into words ({error})") from error
    for key, value in _options(iter(words)):
        if key == "stricthostkeychecking" and value.lower() in _UNVERIFIED:
            raise NotUnderstood(
                f"StrictHostKeyChecking={value} turns host keys off, and rmqops always verifies them; "
                "accept-new takes those of new hosts"
            )
        if key not in HONOURED | HARMLESS | {"configfile"}:
            raise NotUnderstood(f"option {key!r} is not one that rmqops honours")
    return words


def _options(words: Iterator[str]) -> Iterator[tuple[str, str]]:
    for word in words:
        flag, rest = word[:2], word[2:]
        if word in _ALONE:
            continue
        if flag not in {*_WITH_VALUE, "-o"}:
            raise NotUnderstood(f"option {word!r} is not one that rmqops honours")
        value = rest or next(words, None)
        if value is None:
            raise NotUnderstood(f"option {word!r} has no value")
        if flag != "-o":
            yield _WITH_VALUE[flag], value
        else:
            key, _, setting = value.replace("=", " ", 1).strip().partition(" ")
            yield key.lower(), setting.strip().strip('"')
