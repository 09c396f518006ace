"""Archives whose bytes depend on nothing but the names, modes and bytes of the files inside."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Final

from rmqops.errors import SourceError

EPOCH: Final = 1546300800
"""The modification time of every file in an archive: 2019-01-01, since zero upsets some tools."""

_BROKEN: Final = (tarfile.TarError, EOFError, ValueError, gzip.BadGzipFile, zlib.error)


def pack(directory: Path, top: str, target: Path) -> None:
    """Pack a directory into a ``.tar.gz`` with one top directory.

    Times, owners, the order of the names and the gzip header are fixed, and modes are 0755 or 0644, so that
    the same files always give the same archive.

    Args:
        directory: what to pack; symbolic links inside it stay links.
        top: the name of the top directory in the archive.
        target: the archive to write.
    """
    names = sorted(path.relative_to(directory) for path in _walk(directory))
    with (
        target.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        _add(archive, directory, top)
        for name in names:
            _add(archive, directory / name, f"{top}/{name}")


def _walk(directory: Path) -> list[Path]:
    return [
        Path(parent, name) for parent, directories, files in os.walk(directory) for name in (*directories, *files)
    ]


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    entry = archive.gettarinfo(path, name)
    entry.mtime = EPOCH
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode = 0o755 if entry.isdir() or entry.mode & stat.S_IXUSR else 0o644
    if entry.isreg():
        with path.open("rb") as stream:
            archive.addfile(entry, stream)
    else:
        archive.addfile(entry)


def jars(archive: Path) -> dict[str, str]:
    """Return the SHA-256 of each jar in an archive made by :func:`pack`, by its file name.

    Raises:
        SourceError: it is not a whole archive.
    """
    digests = {}
    try:
        with tarfile.open(archive, "r:gz") as opened:
            for member in opened:
                name = member.name.rpartition("/")[2]
                if name.endswith(".jar") and (content := opened.extractfile(member)):
                    digests[name] = hashlib.sha256(content.read()).hexdigest()
    except _BROKEN as error:
        raise _broken(archive, error) from error
    return digests


def unpack(archive: Path, directory: Path) -> None:
    """Unpack an archive made by :func:`pack` into a new directory, without its top directory.

    Raises:
        SourceError: it is not a whole archive.
    """
    unpacked = directory.with_name(directory.name + ".tar")
    try:
        with tarfile.open(archive, "r:gz") as opened:
            # As it is: the archive is our own and its digest was checked. Python before 3.11.4 knows no filters.
            opened.extraction_filter = lambda member, _path: member
            opened.extractall(unpacked)  # noqa: S202
        (top,) = unpacked.iterdir()
        top.rename(directory)
    except _BROKEN as error:
        raise _broken(archive, error) from error
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


def _broken(archive: Path, error: Exception) -> SourceError:
    return SourceError(f"{archive} cannot be unpacked: {error}", remedy="delete it and run rmqops build again")


def unpack_source(archive: Path, directory: Path) -> Path:
    """Unpack a source zip and return the directory of its Maven project.

    Raises:
        SourceError: it is not a zip, or holds no Maven project.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(directory)  # noqa: S202 (zipfile keeps names inside; the digest was checked)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:
        raise SourceError(f"{archive} is not a whole zip: {error}", remedy="get the source zip again") from error
    projects = [pom.parent for pom in (*directory.glob("pom.xml"), *directory.glob("*/pom.xml"))]
    if len(projects) != 1:
        raise SourceError(
            f"{archive} holds {len(projects)} Maven projects at its top, not one",
            remedy="give the source release of RocketMQ (rocketmq-all-<version>-source-release.zip)",
        )
    return projects[0]
