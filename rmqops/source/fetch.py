"""Where the source zip of a release comes from: the cache, a local file, Maven, or the Apache archive."""

from __future__ import annotations

import http.client
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from rmqops.errors import DigestMismatch, SourceError, UsageError
from rmqops.source.digest import check_sha512, file_digest
from rmqops.source.maven import Maven
from rmqops.source.progress import Progress, ProgressListener

APACHE_ARCHIVE: Final = "https://archive.apache.org/dist/rocketmq"
COPY_GOAL: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
"""Pinned, because the version that Maven would pick by itself depends on Maven's."""

READ_TIMEOUT: Final = 60.0
"""Seconds without a byte from the Apache archive."""
CHUNK: Final = 1 << 16


class SourceOrigin(StrEnum):
    """A place that sources come from."""

    ZIP = "zip"
    MAVEN = "maven"
    APACHE = "apache"


@dataclass(frozen=True)
class Fetcher:
    """Gets one file of a release, either the zip or its signature, from one origin or another."""

    version: str
    maven: Callable[[], Maven]
    """Finds Maven when it is needed."""
    work: Path
    report: ProgressListener
    origin: SourceOrigin | None = None
    """The only origin to ask; None asks Maven, then the Apache archive."""
    local: Path | None = None
    """The local zip of :attr:`Origin.ZIP`."""
    offline: bool = False
    archive: str = APACHE_ARCHIVE

    def get(self, suffix: str = "") -> tuple[Path, str]:
        """Bring a file into the work directory; return it and where it came from.

        Args:
            suffix: what follows ``.zip`` in its name: nothing, or ``.asc`` for the signature.

        Raises:
            SourceError: no origin has it; names each and why.
        """
        target = self.work / f"{self.zip_name}{suffix}"
        failures: list[SourceError] = []
        for origin in self._origins():
            try:
                return target, self._from(origin, target, suffix)
            except SourceError as error:
                target.unlink(missing_ok=True)
                failures.append(error)
        if len(failures) == 1:
            raise failures[0]
        raise SourceError(
            f"{self.zip_name}{suffix} could be fetched from nowhere",
            remedy="check the network and its proxies, or give the file with --source ZIP; "
            "Maven takes mirrors and proxies from ~/.m2/settings.xml, the Apache archive from https_proxy",
            detail="\n".join(f"{failure}\n{failure.detail or ''}".rstrip() for failure in failures),
        )

    @property
    def zip_name(self) -> str:
        """The name that the publisher gave the zip."""
        return f"rocketmq-all-{self.version}-source-release.zip"

    def _origins(self) -> tuple[SourceOrigin, ...]:
        if self.local is not None:
            return (SourceOrigin.ZIP,)
        if self.origin is not None:
            return (self.origin,)
        # Offline only Maven's local repository can have it.
        return (SourceOrigin.MAVEN,) if self.offline else (SourceOrigin.MAVEN, SourceOrigin.APACHE)

    def _from(self, origin: SourceOrigin, target: Path, suffix: str) -> str:
        if origin is SourceOrigin.ZIP:
            return self._copy(target, suffix)
        if origin is SourceOrigin.MAVEN:
            return self._ask_maven(target, suffix)
        return self._download(target, suffix)

    def _copy(self, target: Path, suffix: str) -> str:
        if self.local is None:
            raise UsageError("--from zip needs the zip", remedy="name it with --source ZIP")
        source = self.local.with_name(self.local.name + suffix)
        if not source.is_file():
            raise SourceError(
                f"there is no file {source}", remedy="put the signature beside the zip" if suffix else None
            )
        shutil.copyfile(source, target)
        return str(source)

    def _ask_maven(self, target: Path, suffix: str) -> str:
        coordinates = f"org.apache.rocketmq:rocketmq-all:{self.version}:zip{suffix}:source-release"
        self.report(Progress("fetch", f"Maven artifact {coordinates}"))
        try:
            self.maven().run(
                [COPY_GOAL, f"-Dartifact={coordinates}", f"-DoutputDirectory={self.work}"],
                self.work,
                lambda _line: None,
            )
        except SourceError as error:
            raise SourceError(
                f"Maven did not fetch {coordinates}: {error.message}", remedy=error.remedy, detail=error.detail
            ) from error
        if not target.is_file():
            raise SourceError(f"Maven said that it fetched {coordinates}, but there is no {target.name}")
        return f"the Maven artifact {coordinates}"

    def _download(self, target: Path, suffix: str) -> str:
        url = f"{self.archive}/{self.version}/{self.zip_name}{suffix}"
        if self.offline:
            raise SourceError(f"{url} is not in the cache, and --offline was given", remedy="leave --offline out")
        self.report(Progress("fetch", url))
        try:
            # The scheme is fixed by APACHE_ARCHIVE, so no file: or ftp: address can come in.
            with urllib.request.urlopen(url, timeout=READ_TIMEOUT) as answer, target.open("wb") as file:  # noqa: S310
                total = int(answer.headers.get("Content-Length") or 0) or None
                done = 0
                while chunk := answer.read(CHUNK):
                    file.write(chunk)
                    done += len(chunk)
                    self.report(Progress("fetch", url, done, total))
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            raise SourceError(
                f"{url} could not be fetched: {_why(error)}",
                remedy="check the network and https_proxy, or give the zip with --source ZIP",
            ) from error
        if total is not None and done != total:
            raise SourceError(f"{url} broke off after {done} of {total} bytes", remedy="run the command again")
        return url


def _why(error: Exception) -> object:
    if isinstance(error, urllib.error.HTTPError):
        return f"{error.code} {error.reason}"
    return getattr(error, "reason", None) or error


def verified_zip(fetcher: Fetcher, expected: str, cached: Path) -> Path:
    """Return the source zip of a release from the cache, fetching it the first time.

    Only bytes with the right digest ever come into the cache.

    Raises:
        DigestMismatch: what was fetched is not the release; nothing of it is kept.
        SourceError: it cannot be fetched.
    """
    if cached.is_file() and file_digest(cached, "sha512") == expected:
        return cached
    fetched, origin = fetcher.get()
    fetcher.report(Progress("verify", f"SHA-512 of {fetcher.zip_name}"))
    try:
        check_sha512(fetched, expected, origin)
    except DigestMismatch as mismatch:
        fetched.unlink()
        if not origin.startswith("the Maven artifact"):
            raise
        raise DigestMismatch(
            mismatch.message,
            remedy=f"Maven keeps what it fetched: remove org/apache/rocketmq/rocketmq-all/{fetcher.version} "
            "from its local repository (~/.m2/repository), then use another mirror, --from apache or --source ZIP",
        ) from mismatch
    fetched.replace(cached)
    return cached
