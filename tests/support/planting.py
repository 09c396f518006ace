"""What a service that somebody has broken into may leave where root comes by: links, pipes, sockets, holes."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

NOBODY: Final = "nobody"
"""A user of every system who owns nothing: the service's user in these tests."""
SERVICE: Final = 65_432
"""The number of a user who is in no table."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be led astray")

HUGE: Final = 1 << 40


def _link(path: Path, canary: Path) -> None:
    path.symlink_to(canary)


def _directory_link(path: Path, canary: Path) -> None:
    path.symlink_to(canary.parent)


def _fifo(path: Path, _canary: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path, _canary: Path) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o600)


def _hole(path: Path, _canary: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(HUGE)


def _directory(path: Path, _canary: Path) -> None:
    path.mkdir()
    (path / "in it").touch()


PLANTS: Final[Mapping[str, Callable[[Path, Path], None]]] = {
    "link": _link,
    "link-to-directory": _directory_link,
    "fifo": _fifo,
    "socket": _socket,
    "hole": _hole,
    "directory": _directory,
}
"""What may lie under a name, and how it is put there; the second path is root's."""


def plant(kind: str, path: Path, canary: Path, user: str) -> None:
    """Put one of :data:`PLANTS` in the place of whatever is there, as a user."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    PLANTS[kind](path, canary)
    owner = pwd.getpwnam(user)
    os.lchown(path, owner.pw_uid, owner.pw_gid)


@dataclass(frozen=True)
class Canary:
    """A file of root's that nobody else may read, alone in a directory; :meth:`unharmed` is what must hold."""

    file: Path

    @classmethod
    def put(cls, directory: Path) -> Canary:
        """Make one."""
        directory.mkdir(mode=0o700)
        made = cls(directory / "secret")
        made.file.write_text("root's own words\n")
        made.file.chmod(0o600)
        return made

    def unharmed(self) -> None:
        """Hold content, owner and mode against what they were, and that nothing came beside it."""
        for path, mode in ((self.file, 0o600), (self.file.parent, 0o700)):
            found = path.lstat()
            assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 0, mode), path
        assert self.file.read_text() == "root's own words\n"
        assert [path.name for path in self.file.parent.iterdir()] == [self.file.name]


def own(top: Path, user: str) -> None:
    """Give a directory and all that is in it to a user."""
    owner = pwd.getpwnam(user)
    for path in [top, *top.rglob("*")]:
        os.lchown(path, owner.pw_uid, owner.pw_gid)


@contextmanager
def ground() -> Iterator[Path]:
    """Yield a directory that every user can get to: pytest's own are closed again by whatever session begins."""
    path = Path(tempfile.mkdtemp(prefix="rmqops-planting-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
