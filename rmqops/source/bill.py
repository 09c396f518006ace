"""The bill of materials of an artifact: every jar in it, and the patches, as CycloneDX 1.5 (ECMA-424) in JSON.

What a jar is, Maven wrote into it (``META-INF/maven/…/pom.properties``); of one that another build tool made, the
name of its file says it, and :data:`GROUPS` whose it is.
"""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from rmqops.source.artifacts import Artifact
from rmqops.source.digest import file_digest
from rmqops.source.patching import Patch, PatchSet

GROUPS: Final[Mapping[str, str]] = {"jcommander": "com.beust", "jna": "net.java.dev.jna"}
"""The Maven groups of jars that do not tell them."""

_DESCRIPTION: Final = "pom.properties"
Json = Mapping[str, object]


@dataclass(frozen=True)
class Coordinates:
    """What Maven calls an artifact."""

    group: str | None
    """None where nobody says it."""
    name: str
    version: str
    classifier: str = ""

    @property
    def purl(self) -> str:
        """The package URL."""
        if self.group is None:
            return f"pkg:generic/{self.name}@{self.version}"
        qualifier = f"?classifier={self.classifier}" if self.classifier else ""
        return f"pkg:maven/{self.group}/{self.name}@{self.version}{qualifier}"


def written(artifact: Artifact, distribution: Path, patches: PatchSet) -> str:
    """Write the bill of an artifact.

    Args:
        artifact: what the bill is of.
        distribution: the files that were packed into it.
        patches: what was put into its source.
    """
    jars = [_jar(path, distribution) for path in sorted(distribution.rglob("*.jar"))]
    release = _release(artifact, patches)
    bill = {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, artifact.name)}",
        "version": 1,
        "metadata": {
            "timestamp": artifact.built,
            "tools": {"components": [{"type": "application", "name": "rmqops"}]},
            "component": release,
        },
        "components": jars,
        "dependencies": [{"ref": release["bom-ref"], "dependsOn": [jar["bom-ref"] for jar in jars]}],
    }
    return json.dumps(bill, indent=2) + "\n"


def coordinates(jar: Path) -> tuple[Coordinates, tuple[Coordinates, ...]]:
    """Return what a jar is, and what else was put into it; of one that is no zip the name of its file is told."""
    inside = [_coordinates(text) for text in _descriptions(jar)]
    for each in inside:
        start = f"{each.name}-{each.version}"
        if jar.stem == start or jar.stem.startswith(f"{start}-"):
            others = tuple(other for other in inside if other != each)
            return replace(each, classifier=jar.stem[len(start) + 1 :]), others
    name, _, version = jar.stem.rpartition("-")
    return Coordinates(GROUPS.get(name), name or jar.stem, version), tuple(inside)


def _descriptions(jar: Path) -> list[str]:
    try:
        with zipfile.ZipFile(jar) as opened:
            return [
                opened.read(name).decode()
                for name in sorted(opened.namelist())
                if name.startswith("META-INF/maven/") and name.endswith(f"/{_DESCRIPTION}")
            ]
    except zipfile.BadZipFile:
        return []


def _coordinates(text: str) -> Coordinates:
    pairs = (line.strip().split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    fields = {key.strip(): value.strip() for key, value in pairs}
    return Coordinates(fields["groupId"], fields["artifactId"], fields["version"])


def _jar(path: Path, distribution: Path) -> Json:
    what, inside = coordinates(path)
    place = path.relative_to(distribution).as_posix()
    return {
        **_component("library", what),
        "bom-ref": place,
        "hashes": [{"alg": "SHA-256", "content": file_digest(path, "sha256")}],
        "properties": [{"name": "rmqops:file", "value": place}],
        **({"components": [_component("library", each) for each in inside]} if inside else {}),
    }


def _component(kind: str, what: Coordinates) -> Json:
    return {
        "type": kind,
        **({"group": what.group} if what.group else {}),
        "name": what.name,
        "version": what.version,
        "purl": what.purl,
    }


def _release(artifact: Artifact, patches: PatchSet) -> Json:
    source = Coordinates("org.apache.rocketmq", "rocketmq-all", artifact.version)
    return {
        **_component("application", source),
        "bom-ref": artifact.name,
        "hashes": [{"alg": "SHA-256", "content": artifact.digest}],
        "licenses": [{"license": {"id": "Apache-2.0"}}],
        "pedigree": {
            "ancestors": [
                {
                    **_component("application", source),
                    "purl": f"{source.purl}?classifier=source-release&type=zip",
                    "hashes": [{"alg": "SHA-512", "content": artifact.source_sha512}],
                }
            ],
            "patches": [_patch(patch) for patch in patches.patches],
        },
        "properties": [{"name": name, "value": value} for name, value in _properties(artifact, patches)],
    }


def _properties(artifact: Artifact, patches: PatchSet) -> Iterator[tuple[str, str]]:
    yield "rmqops:artifact", artifact.name
    yield "rmqops:jdk", artifact.jdk
    yield "rmqops:oldest-java", str(artifact.oldest_java)
    for patch in patches.patches:
        yield f"rmqops:patch:{patch.name}", patch.sha256


def _patch(patch: Patch) -> Json:
    kind = "defect" if patch.kind == "behaviour" else "security"
    issues = patch.cves or (patch.name,)
    return {
        "type": "unofficial",
        "diff": {
            "text": {
                "contentType": "text/x-diff",
                "encoding": "base64",
                "content": base64.b64encode(patch.diff).decode(),
            }
        },
        "resolves": [
            {"type": kind, "id": issue, "name": patch.name, "description": patch.mends} for issue in issues
        ],
    }
