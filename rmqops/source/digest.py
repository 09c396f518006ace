"""Digests of files, and the digest that the sources of a release must have."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Literal

from rmqops.errors import DigestMismatch, UsageError
from rmqops.model.releases import RELEASES


def file_digest(path: Path, algorithm: Literal["sha256", "sha512"]) -> str:
    """Return the digest of a file's bytes, in lower-case hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def expected_sha512(version: str, given: str | None) -> str:
    """Return the SHA-512 that the source zip of a release must have.

    The known releases are pinned (``rmqops.model.releases``); any other needs the digest that its
    publisher names.

    Raises:
        UsageError: the version or the digest is not of the form, the digest is missing, or it
            contradicts the pinned one.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise UsageError(
            f"{version!r} is not a version of RocketMQ", remedy=f"use one of {', '.join(sorted(RELEASES))}"
        )
    digest = given.strip().lower() if given else None
    if digest is not None and not re.fullmatch(r"[0-9a-f]{128}", digest):
        raise UsageError(
            f"{given!r} is not a SHA-512", remedy="give the 128 hexadecimal digits that the publisher names"
        )
    known = RELEASES.get(version)
    if known:
        if digest not in (None, known.sha512):
            raise UsageError(
                f"--sha512 says {digest}, but the source of {version} is pinned to {known.sha512}",
                remedy="leave --sha512 out",
            )
        return known.sha512
    if digest is None:
        raise UsageError(
            f"the digest of RocketMQ {version} is not known here (known: {', '.join(sorted(RELEASES))})",
            remedy="give the SHA-512 of its source zip, as the Apache archive publishes it, with --sha512",
        )
    return digest


def check_sha512(path: Path, expected: str, origin: str) -> None:
    """Make sure that a file is the source zip that was meant.

    Raises:
        DigestMismatch: it is not; names both digests.
    """
    digest = file_digest(path, "sha512")
    if digest != expected:
        raise DigestMismatch(
            f"{origin} is not the release: SHA-512 is {digest}, but must be {expected}",
            remedy="get the source zip again from another place; nothing of this one was kept",
        )
