"""Files on a host as commands: the bytes travel on standard input and output, so that sudo can be between."""

from __future__ import annotations

import hashlib

from rmqops.model.commands import Command

PATIENCE = 30.0
"""Seconds besides those that the bytes take."""
SLOWEST = 100_000
"""Bytes a second below which a transfer counts as hanging."""

_PUT = """
set -eu
temporary=$(mktemp "$1.XXXXXXXX")
trap 'rm -f "$temporary"' EXIT
trap 'exit 1' HUP INT TERM
dd of="$temporary" bs=64k conv=fsync status=none
found=$(sha256sum < "$temporary")
[ "${found%% *}" = "$2" ] || { echo "the transfer was interrupted" >&2; exit 1; }
chmod "$3" "$temporary"
mv -fT "$temporary" "$1"
sync "$(dirname "$1")"
"""


def put(content: bytes, path: str, mode: int) -> Command:
    """Return the command that takes a file's content on its input and puts it in place."""
    digest = hashlib.sha256(content).hexdigest()
    return Command.shell(_PUT, path, digest, f"{mode:04o}", timeout=_patience(len(content)))


def get(path: str) -> Command:
    """Return the command that prints a file; one of up to 30 MB comes through over the slowest line."""
    return Command(("cat", "--", path), timeout=_patience(30_000_000))


def _patience(size: int) -> float:
    return PATIENCE + size / SLOWEST
