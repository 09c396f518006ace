"""The user's cache: sources, artifacts, their records and logs.

::

    <cache>/                     RMQOPS_CACHE, else the user's own, such as ~/.cache/rmqops
      *.lock                     held while somebody writes
      sources/                   verified source zips, named by version and digest
      artifacts/                 archives, named by their content; beside each of a release its bill of materials
      records/                   what was built from which source; leads to an artifact
      unpacked/                  artifacts unpacked, named as they are
      classes/                   our own Java, compiled; named by the sources and what they were compiled against
      logs/                      what Maven said, build by build
      ansible/                   what Ansible answered of its settings, named by what it read for that
      work/                      half-made things; emptied by the next build

Every file comes into its place by a rename, so that what is there is whole.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from rmqops.errors import PreflightFailed, SourceError
from rmqops.model.patch_choice import PatchChoice
from rmqops.model.releases import RELEASES
from rmqops.source import bundle, patching
from rmqops.source.artifacts import (
    Artifact,
    RuntimeArtifact,
    artifact_from_json,
    artifact_to_json,
    runtime_from_json,
    runtime_to_json,
)
from rmqops.source.digest import file_digest
from rmqops.source.progress import Progress, ProgressListener, silent
from rmqops.system import locks
from rmqops.system.files import write_whole
from rmqops.system.places import cache_directory

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

LOGS_KEPT: Final = 20


@dataclass(frozen=True)
class Cache:
    """One cache, by its directory."""

    root: Path

    @property
    def artifacts(self) -> Path:
        """The directory of archives."""
        return self.root / "artifacts"

    @property
    def logs(self) -> Path:
        """The directory of logs; the newest :data:`LOGS_KEPT` stay."""
        return self.root / "logs"

    def source(self, version: str, sha512: str) -> Path:
        """Return where the verified source zip of a release belongs; its signature lies beside it."""
        return self.root / "sources" / f"rocketmq-all-{version}-{sha512[:16]}-source-release.zip"

    def locked(
        self, kind: Literal["build", "unpack", "classes"], purpose: str, report: ProgressListener
    ) -> AbstractContextManager[int]:
        """Hold one of the cache's locks; yields its descriptor, for children to inherit."""
        self.root.mkdir(parents=True, exist_ok=True)
        return locks.held(
            self.root / f"{kind}.lock",
            purpose,
            lambda holder: report(Progress("wait", f"waiting for {holder}")),
        )

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """Make a directory for half-made things, and remove it whatever happens.

        The caller holds the build lock: what others left there is from the dead, and is removed first.
        """
        work = self.root / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        for name in ("sources", "artifacts", "records", "logs"):
            (self.root / name).mkdir(exist_ok=True)
        try:
            yield Path(tempfile.mkdtemp(dir=work))
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def require_room(self, needed: int) -> None:
        """Make sure that its disk has room.

        Args:
            needed: bytes.

        Raises:
            PreflightFailed: it has not; names both.
        """
        free = shutil.disk_usage(self.root).free
        if free < needed:
            raise PreflightFailed(
                f"{self.root} has {free // 1_000_000} MB free, but this takes {needed // 1_000_000} MB",
                remedy="make room there, or set RMQOPS_CACHE to a directory on another disk",
            )

    def new_log(self, name: str) -> Path:
        """Return the path of a new log, and remove the oldest ones."""
        old = sorted(self.logs.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in old[LOGS_KEPT - 1 :]:
            path.unlink(missing_ok=True)
        return self.logs / f"{name}.log"

    def save(self, artifact: Artifact) -> None:
        """Record an artifact whose archive is in place."""
        record = self._record(artifact.version, artifact.source_sha512, artifact.patch_set)
        write_whole(record, artifact_to_json(artifact))

    def artifact(self, version: str, source_sha512: str, patch_set: str = "") -> Artifact | None:
        """Return the artifact built from a source, if its archive is there and of the recorded size.

        Args:
            version: the release.
            source_sha512: of its source as published.
            patch_set: what was put into that (``PatchSet.identity``); nothing unless given.
        """
        return self._read(self._record(version, source_sha512, patch_set))

    def newest(self, version: str) -> Artifact | None:
        """Return the artifact of a release that was built last, from whatever source."""
        records = self.root.joinpath("records").glob(f"rocketmq-{version}-*.json")
        artifacts = [artifact for artifact in map(self._read, records) if artifact]
        return max(artifacts, key=lambda artifact: artifact.built, default=None)

    def save_runtime(self, identity: str, runtime: RuntimeArtifact) -> None:
        """Record a runtime whose archive is in place, by what it was made from."""
        write_whole(self.root / "records" / f"java-{identity}.json", runtime_to_json(runtime))

    def runtime(self, identity: str) -> RuntimeArtifact | None:
        """Return the runtime made from a JDK, if its archive is there and of the recorded size."""
        try:
            text = (self.root / "records" / f"java-{identity}.json").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        runtime = runtime_from_json(text, self.artifacts)
        return runtime if runtime and _is_there(runtime) else None

    def _record(self, version: str, source_sha512: str, patch_set: str) -> Path:
        name = "-".join(filter(None, ("rocketmq", version, source_sha512[:16], patch_set)))
        return self.root / "records" / f"{name}.json"

    def _read(self, record: Path) -> Artifact | None:
        try:
            text = record.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        artifact = artifact_from_json(text, self.artifacts, self.logs)
        if artifact is None or not _is_there(artifact):
            return None
        if artifact.runtime and not _is_there(artifact.runtime):
            return None
        return artifact


def default_cache(environ: Mapping[str, str] = os.environ) -> Cache:
    """Return the user's cache: RMQOPS_CACHE, else where the system keeps caches (XDG_CACHE_HOME)."""
    return Cache(cache_directory(environ))


def find_artifact(
    version: str, choice: PatchChoice = patching.DEFAULT, cache: Cache | None = None
) -> Artifact | None:
    """Return the built artifact of a release, or None; builds nothing and reads no archive.

    Of a known release only what was built from its pinned source counts, with the patches that are chosen; of
    another the newest.
    """
    cache = cache or default_cache()
    release = RELEASES.get(version)
    if release is None:
        return cache.newest(version)
    return cache.artifact(version, release.sha512, patching.chosen(version, choice).identity)


def intact(artifact: Artifact | RuntimeArtifact) -> bool:
    """Tell whether an archive still is what was recorded, by its digest."""
    return _is_there(artifact) and file_digest(artifact.path, "sha256") == artifact.digest


def unpacked(
    artifact: Artifact | RuntimeArtifact, cache: Cache | None = None, report: ProgressListener = silent
) -> Path:
    """Return the directory of an artifact's content, unpacking it the first time.

    The directory is named as the artifact, by content, so it never changes once it is there. It holds ``bin``,
    ``conf``, ``lib`` (a runtime: ``bin/java``) without the archive's top directory.

    Raises:
        SourceError: the archive is missing or broken.
    """
    cache = cache or default_cache()
    target = cache.root / "unpacked" / artifact.name
    if target.is_dir():
        return target
    with cache.locked("unpack", f"unpacking {artifact.name}", report):
        if target.is_dir():
            return target
        if not intact(artifact):
            raise SourceError(
                f"{artifact.path} is missing or is not what was built", remedy="run rmqops build again"
            )
        half = target.parent / ".half"
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        try:
            bundle.unpack(artifact.path, half / artifact.name)
            (half / artifact.name).rename(target)
        finally:
            shutil.rmtree(half, ignore_errors=True)
    return target


def _is_there(artifact: Artifact | RuntimeArtifact) -> bool:
    try:
        return artifact.path.stat().st_size == artifact.size
    except OSError:
        return False


def disk_error(error: OSError, cache: Cache) -> SourceError:
    """Return what to say of an error of the disk that the cache lies on."""
    if error.errno in _FULL:
        return SourceError(
            f"no space is left in {cache.root}: {error}",
            remedy="make room there, or set RMQOPS_CACHE to a directory on another disk; nothing half made stays",
        )
    return SourceError(
        f"the cache {cache.root} cannot be used: {error}",
        remedy="make it writable, or set RMQOPS_CACHE to another directory",
    )
