"""What a build leaves behind: archives named by their content, and the record that leads to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

FORMAT: Final = 3
"""Of a record, and of how its artifact was built; what a record of another format tells of is built again."""


@dataclass(frozen=True)
class RuntimeArtifact:
    """A Java runtime made by jlink, for hosts that have no Java of their own."""

    name: str
    """``java-<version>-<machine>-<first 16 digits of the digest>``: the name of its directory on a host."""
    path: Path
    """The ``.tar.gz``; its one top directory is ``java``."""
    digest: str
    """SHA-256 of the archive."""
    size: int
    """Bytes of the archive."""
    java: str
    """The version of the JDK it was made from, such as ``17.0.15``."""
    machine: str
    """The processor it runs on, as ``uname -m`` says it."""


@dataclass(frozen=True)
class Artifact:
    """One release of RocketMQ, built, as one archive named by its content."""

    version: str
    name: str
    """The name of its directory on a host: ``rocketmq-<version>[-<patches>]-<first 16 digits of the digest>``.

    Of the patches it tells a word (``PatchSet.label``); without one it is the release as it was published."""
    path: Path
    """The ``.tar.gz``; its one top directory is ``rocketmq-<version>``."""
    digest: str
    """SHA-256 of the archive."""
    size: int
    """Bytes of the archive."""
    source_sha512: str
    """SHA-512 of the source zip it was built from."""
    jdk: str
    """The version of the JDK that compiled it."""
    oldest_java: int
    """The oldest Java major version that runs it; see ``docs/building.md``."""
    built: str
    """When, ISO 8601, UTC."""
    log: Path
    """What Maven said."""
    runtime: RuntimeArtifact | None = None
    """The Java runtime that goes with it, if one was asked for."""
    patches: tuple[str, ...] = ()
    """The patches that are in it, by name."""
    patch_set: str = ""
    """What tells these patches from any others, to the byte (``PatchSet.identity``)."""
    pins: str = ""
    """The digests that its jars were held to (``pinned_jars.identity``); empty where they were held to none."""

    @property
    def bill(self) -> Path:
        """Its bill of materials, CycloneDX JSON, beside the archive."""
        return self.path.with_name(f"{self.name}.cdx.json")


def runtime_to_json(runtime: RuntimeArtifact) -> str:
    """Write the record of a runtime; its path is the file's name, because a cache may be moved."""
    return json.dumps(_portable(asdict(runtime)), indent=2)


def runtime_from_json(text: str, artifacts: Path) -> RuntimeArtifact | None:
    """Read the record of a runtime; None when it is not one."""
    try:
        return _runtime(json.loads(text), artifacts)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def artifact_to_json(artifact: Artifact) -> str:
    """Write the record of an artifact; paths are the files' names, because a cache may be moved."""
    fields = _portable(asdict(artifact))
    if artifact.runtime:
        fields["runtime"] = _portable(asdict(artifact.runtime))
    return json.dumps(fields, indent=2)


def artifact_from_json(text: str, artifacts: Path, logs: Path) -> Artifact | None:
    """Read the record of an artifact; None when it is not one, or one of another format."""
    try:
        fields = json.loads(text)
        if fields["format"] != FORMAT:
            return None
        return Artifact(
            version=str(fields["version"]),
            name=str(fields["name"]),
            path=artifacts / str(fields["path"]),
            digest=str(fields["digest"]),
            size=int(fields["size"]),
            source_sha512=str(fields["source_sha512"]),
            jdk=str(fields["jdk"]),
            oldest_java=int(fields["oldest_java"]),
            built=str(fields["built"]),
            log=logs / str(fields["log"]),
            patches=tuple(str(name) for name in fields["patches"]),
            patch_set=str(fields["patch_set"]),
            pins=str(fields.get("pins", "")),
            runtime=_runtime(fields["runtime"], artifacts) if fields["runtime"] else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _portable(fields: Mapping[str, object]) -> dict[str, object]:
    names = {key: value.name if isinstance(value, Path) else value for key, value in fields.items()}
    return {"format": FORMAT, **names}


def _runtime(fields: Mapping[str, str | int], artifacts: Path) -> RuntimeArtifact | None:
    if fields["format"] != FORMAT:
        return None
    return RuntimeArtifact(
        name=str(fields["name"]),
        path=artifacts / str(fields["path"]),
        digest=str(fields["digest"]),
        size=int(fields["size"]),
        java=str(fields["java"]),
        machine=str(fields["machine"]),
    )
