"""OpenSSH's known_hosts format (sshd(8)): whose key is known, and where that stands. PURE.

Plain and hashed names, wildcards, negations, ``[host]:port`` and ``@revoked`` are understood. A certificate
authority (``@cert-authority``) is passed over, for paramiko takes no host certificates; its hosts are then
unknown, not accepted.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Standing = Literal["known", "unknown", "changed", "revoked"]


@dataclass(frozen=True)
class KnownHost:
    """One line: a key and the names of the hosts that have it."""

    file: str
    line: int
    names: str
    key_type: str
    key: str
    """In base64."""
    revoked: bool = False

    @property
    def fingerprint(self) -> str:
        """The key's, as ssh-keygen prints it."""
        return fingerprint(base64.b64decode(self.key))


@dataclass(frozen=True)
class Judgement:
    """What known_hosts says of a key that a host has shown."""

    standing: Standing
    entry: KnownHost | None = None
    """The line that decided."""


def fingerprint(key: bytes) -> str:
    """Return the fingerprint of a key as ssh-keygen prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode("ascii").rstrip("=")


@lru_cache(maxsize=8)  # each host of a fleet asks for the same files
def parse(file: str, text: str) -> tuple[KnownHost, ...]:
    """Read a file; a line that is none is passed over, as ssh does."""
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        marker = words.pop(0) if words[0].startswith("@") else ""
        if marker not in {"", "@revoked"} or len(words) < 3 or not _is_key(words[2]):
            continue
        entries.append(KnownHost(file, number, words[0], words[1], words[2], marker == "@revoked"))
    return tuple(entries)


def read(files: Mapping[str, str]) -> tuple[KnownHost, ...]:
    """Read several files, each text by its path."""
    return tuple(entry for file, text in files.items() for entry in parse(file, text))


def of(name: str, entries: Iterable[KnownHost]) -> tuple[KnownHost, ...]:
    """Return the entries of a host; ``name`` is ``host``, or ``[host]:port`` where the port is not 22."""
    return tuple(entry for entry in entries if _matches(entry.names, name))


def judge(name: str, key_type: str, key: str, entries: Iterable[KnownHost]) -> Judgement:
    """Say whether a host's key is known.

    Any other key of the host makes it a changed one, also a key of another type: we ask for a type that is known,
    so the host that shows another has lost the known one.
    """
    of_host = of(name, entries)
    for entry in of_host:
        if entry.revoked and entry.key == key:
            return Judgement("revoked", entry)
    valid = [entry for entry in of_host if not entry.revoked]
    for entry in valid:
        if entry.key == key:
            return Judgement("known", entry)
    same_type = [entry for entry in valid if entry.key_type == key_type]
    if valid:
        return Judgement("changed", (same_type or valid)[0])
    return Judgement("unknown")


def _is_key(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return False


def _matches(names: str, name: str) -> bool:
    if names.startswith("|1|"):
        return _hashed(names, name)
    matched = False
    for pattern in names.lower().split(","):
        if fnmatch.fnmatchcase(name, _glob(pattern.removeprefix("!"))):
            if pattern.startswith("!"):
                return False
            matched = True
    return matched


def _glob(pattern: str) -> str:
    """Return a pattern in which only ``*`` and ``?`` mean something, as in ssh."""
    return pattern.replace("[", "[[]")


def _hashed(names: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in names[3:].split("|"))
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)
