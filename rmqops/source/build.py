"""Build a release of RocketMQ: from its source zip to one artifact in the user's cache."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Final

from rmqops.errors import UsageError
from rmqops.model.releases import DEFAULT_VERSION, Release, assumed
from rmqops.source import bill, bundle, patching, pinned_jars
from rmqops.source.artifacts import Artifact, RuntimeArtifact
from rmqops.source.cache import Cache, default_cache, disk_error, intact
from rmqops.source.digest import check_sha512, expected_sha512, file_digest
from rmqops.source.fetch import APACHE_ARCHIVE, Fetcher, SourceOrigin, verified_zip
from rmqops.source.java_api import NEEDS_NO_HELP, compiler_options, extract_java8, oldest_target
from rmqops.source.jdk import JVM_ROOTS, Jdk, find_jdk
from rmqops.source.maven import Maven, find_distribution, find_maven, module_begun, package_arguments
from rmqops.source.progress import Progress, ProgressListener, silent
from rmqops.source.runtime import make_runtime, require_jlink, runtime_identity
from rmqops.source.signature import check_signature
from rmqops.system.files import write_whole

BUILD_ROOM: Final = 120_000_000
"""Bytes that a build takes in the cache at its peak (measured: 59 MB of files, and the archive)."""

RUNTIME_ROOM: Final = 200_000_000
"""Bytes that a runtime takes at its peak (measured with JDK 25: 103 MB of files, 60 MB of archive)."""


@dataclass(frozen=True)
class BuildOptions:
    """How to build; the defaults suit everybody."""

    source: Path | None = None
    """A local source zip."""
    origin: SourceOrigin | None = None
    """The only place to fetch the source from; None asks Maven, then the Apache archive."""
    sha512: str | None = None
    """The digest of the source of a release that is not pinned."""
    keyring: Path | None = None
    """Keys, one of which must have signed the source."""
    jdk: Path | None = None
    """The JDK to build with; None finds one."""
    runtime: bool = False
    """Make a Java runtime, too."""
    offline: bool = False
    """Use no network."""
    patches: patching.PatchSet | None = None
    """What is put into the source; None takes the default of the release."""


@dataclass(frozen=True)
class BuildOutcome:
    """What a build did."""

    artifact: Artifact
    compiled: bool
    """False when the artifact was there already."""
    signed_by: str | None
    """The fingerprint of the key that signed the source, when a key ring was given."""


def ensure_artifact(
    version: str = DEFAULT_VERSION,
    *,
    options: BuildOptions | None = None,
    progress: ProgressListener = silent,
    cache: Cache | None = None,
) -> Artifact:
    """Return the artifact of a release, building it the first time; see :func:`build`."""
    return build(version, options=options, progress=progress, cache=cache).artifact


def build(
    version: str = DEFAULT_VERSION,
    *,
    options: BuildOptions | None = None,
    progress: ProgressListener = silent,
    cache: Cache | None = None,
    environ: Mapping[str, str] = os.environ,
) -> BuildOutcome:
    """Build a release, or find it built.

    Two builds at once wait for each other. A build that was killed leaves half-made things only in the cache's
    ``work``, which the next one empties.

    Raises:
        UsageError: the version or the options are wrong.
        PreflightFailed: there is no JDK, no Maven or not enough room.
        DigestMismatch: the source is not the release, or a jar is not the pinned one.
        SourceError: the source cannot be fetched, or Maven failed.
    """
    options = options or BuildOptions()
    cache = cache or default_cache(environ)
    sha512 = expected_sha512(version, options.sha512)
    _check(options)
    if options.source is not None:
        check_sha512(options.source, sha512, str(options.source))
    patches = options.patches or patching.chosen(version)
    job = _Job(version, sha512, options, progress, cache, environ, patches)
    try:
        artifact = None if options.keyring else job.cached()
        if artifact:
            return BuildOutcome(artifact, compiled=False, signed_by=None)
        with cache.locked("build", f"building RocketMQ {version}", progress) as lock, cache.workspace() as work:
            return replace(job, work=work, lock=lock).run()
    except OSError as error:
        raise disk_error(error, cache) from error


def _check(options: BuildOptions) -> None:
    if options.source is None and options.origin is SourceOrigin.ZIP:
        raise UsageError("--from zip needs the zip", remedy="name it with --source ZIP")
    if options.source is not None and options.origin not in (None, SourceOrigin.ZIP):
        raise UsageError(
            f"--source and --from {options.origin} contradict each other", remedy="leave one of them out"
        )
    if options.source is not None and not options.source.is_file():
        raise UsageError(f"there is no file {options.source}", remedy="name the source zip with --source")
    if options.offline and options.origin is SourceOrigin.APACHE:
        raise UsageError("--offline and --from apache contradict each other", remedy="leave one of them out")


@dataclass(frozen=True)
class _Job:
    version: str
    sha512: str
    options: BuildOptions
    report: ProgressListener
    cache: Cache
    environ: Mapping[str, str]
    patches: patching.PatchSet
    work: Path = Path()
    lock: int = -1
    archive: str = field(default=APACHE_ARCHIVE)

    @cached_property
    def jdk(self) -> Jdk:
        return find_jdk(self.options.jdk, self.environ, JVM_ROOTS)

    @property
    def release(self) -> Release:
        return assumed(self.version)

    @cached_property
    def log(self) -> Path:
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        return self.cache.new_log(f"rocketmq-{self.version}-{now}-{os.getpid()}")

    @cached_property
    def maven(self) -> Maven:
        return Maven(
            find_maven(self.environ), self.jdk, self.environ, self.log, self.options.offline, (self.lock,)
        )

    def cached(self) -> Artifact | None:
        """Return what answers the whole request without a build."""
        artifact = self.compiled()
        if artifact is None or not self.options.runtime:
            return artifact
        return artifact if artifact.runtime and artifact.runtime == self.linked() else None

    def compiled(self) -> Artifact | None:
        artifact = self.cache.artifact(self.version, self.sha512, self.patches.identity)
        if artifact is None or not intact(artifact):
            return None
        # A JDK that was named is meant; one that was found is not.
        if self.options.jdk is not None and artifact.jdk != self.jdk.version:
            return None
        held = pinned_jars.held(artifact, self.patches)
        if held and held is not artifact:
            self.cache.save(held)
        return held

    def linked(self) -> RuntimeArtifact | None:
        runtime = self.cache.runtime(runtime_identity(self.jdk, self.release.runtime_modules))
        return runtime if runtime and intact(runtime) else None

    def run(self) -> BuildOutcome:
        """Do what is not done yet; another may have done it while this one waited for the lock."""
        signed_by = self.verify_signature() if self.options.keyring else None
        artifact = self.cached()
        if artifact:
            return BuildOutcome(artifact, compiled=False, signed_by=signed_by)
        artifact = self.compiled()
        compiled = artifact is None
        if self.options.runtime:
            require_jlink(self.jdk)
        if artifact is None:
            artifact = self.compile()
        if self.options.runtime:
            artifact = replace(artifact, runtime=self.linked() or self.link())
        self.cache.save(artifact)
        return BuildOutcome(artifact, compiled=compiled, signed_by=signed_by)

    @cached_property
    def fetcher(self) -> Fetcher:
        return Fetcher(
            self.version,
            lambda: self.maven,
            self.work,
            self.report,
            origin=self.options.origin,
            local=self.options.source,
            offline=self.options.offline,
            archive=self.archive,
        )

    def source(self) -> Path:
        return verified_zip(self.fetcher, self.sha512, self.cache.source(self.version, self.sha512))

    def verify_signature(self) -> str:
        assert self.options.keyring is not None
        archive = self.source()
        cached = archive.with_name(archive.name + ".asc")
        local = self.options.source is not None
        signature = cached if cached.is_file() and not local else self.fetcher.get(".asc")[0]
        self.report(Progress("verify", f"signature of {self.fetcher.zip_name}"))
        signer = check_signature(archive, signature, self.options.keyring, self.environ)
        if signature != cached and not local:
            # Only the publisher's: whoever else signed a local zip must not stand in for it later.
            signature.replace(cached)
        return signer

    def compile(self) -> Artifact:
        """Compile and pack the release, and bring the archive into its place."""
        self.cache.require_room(BUILD_ROOM)
        maven = self.maven
        source = self.source()
        self.report(Progress("unpack", self.fetcher.zip_name))
        project = bundle.unpack_source(source, self.work / "source")
        if self.patches.patches:
            self.report(Progress("patch", ", ".join(self.patches.names)))
            patching.apply(self.patches, project)
        java8 = self.jdk.major > NEEDS_NO_HELP and extract_java8(self.jdk, self.work / "java8")
        javac_options = compiler_options(self.work / "java8") if java8 else None
        maven.run(package_arguments(self.release), project, self.follow, javac_options)
        distribution = find_distribution(project, self.version)
        pins = pinned_jars.check(self.patches, pinned_jars.of_distribution(distribution))
        self.report(Progress("pack", f"RocketMQ {self.version}"))
        prefix = "-".join(filter(None, ("rocketmq", self.version, self.patches.label)))
        name, path, digest = self.pack(distribution, f"rocketmq-{self.version}", prefix)
        artifact = Artifact(
            version=self.version,
            name=name,
            path=path,
            digest=digest,
            size=path.stat().st_size,
            source_sha512=self.sha512,
            jdk=self.jdk.version,
            oldest_java=oldest_target(self.jdk, java8),
            built=datetime.now(UTC).isoformat(timespec="seconds"),
            log=maven.log,
            patches=self.patches.names,
            patch_set=self.patches.identity,
            pins=pins,
        )
        write_whole(artifact.bill, bill.written(artifact, distribution, self.patches))
        return artifact

    def link(self) -> RuntimeArtifact:
        """Make a Java runtime, and bring its archive into its place."""
        self.cache.require_room(RUNTIME_ROOM)
        self.report(Progress("runtime", f"Java {self.jdk.version} by jlink"))
        target = self.work / "java"
        modules = self.release.runtime_modules
        make_runtime(self.jdk, modules, target, environ=self.environ, log=self.log, keep_open=(self.lock,))
        machine = platform.machine()
        self.report(Progress("pack", f"Java {self.jdk.version}"))
        name, path, digest = self.pack(target, "java", f"java-{self.jdk.version}-{machine}")
        runtime = RuntimeArtifact(name, path, digest, path.stat().st_size, self.jdk.version, machine)
        self.cache.save_runtime(runtime_identity(self.jdk, modules), runtime)
        return runtime

    def pack(self, directory: Path, top: str, prefix: str) -> tuple[str, Path, str]:
        """Pack a directory into the cache; return the archive's name, path and digest."""
        half = self.work / f"{prefix}.tar.gz"
        bundle.pack(directory, top, half)
        digest = file_digest(half, "sha256")
        name = f"{prefix}-{digest[:16]}"
        path = self.cache.artifacts / f"{name}.tar.gz"
        half.replace(path)
        return name, path, digest

    def follow(self, line: str) -> None:
        module = module_begun(line)
        if module:
            self.report(Progress("compile", module.name, module.done, module.total))
