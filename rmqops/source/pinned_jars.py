"""The jars of others that go to brokers, pinned by digest, release by release.

Maven fetches them from wherever the user's settings.xml says, and a checksum of a repository proves only that it
agrees with itself. What a release needs, to the byte, stands in ``jars.json``: ``sha256`` of each jar by
its file name, which has its version in it; the names that each of ``releases`` has as it was published; and what
each of ``patches`` removes and adds. A release is added by building it on a machine that is trusted, once with
``--plain``, once with its patches: their bills of materials have the digests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import TypedDict, cast

from rmqops.errors import DigestMismatch, SourceError
from rmqops.source import bundle
from rmqops.source.artifacts import Artifact
from rmqops.source.digest import file_digest
from rmqops.source.patching import PatchSet


class Replacement(TypedDict):
    """What a patch does to the jars of a release."""

    removed: list[str]
    added: list[str]


class Table(TypedDict):
    """What ``jars.json`` holds."""

    sha256: dict[str, str]
    releases: dict[str, list[str]]
    patches: dict[str, Replacement]


@cache
def table() -> Table:
    """Return the whole table."""
    text = resources.files("rmqops.source").joinpath("jars.json").read_text(encoding="utf-8")
    return cast("Table", json.loads(text))


def expected(patches: PatchSet) -> Mapping[str, str] | None:
    """Return the SHA-256 of each jar of others by its file name; None where the release is not pinned."""
    pins = table()
    if patches.version not in pins["releases"]:
        return None
    names = set(pins["releases"][patches.version])
    for name in patches.names:
        if replacement := pins["patches"].get(name):
            names.difference_update(replacement["removed"])
            names.update(replacement["added"])
    return {name: pins["sha256"][name] for name in sorted(names)}


def identity(patches: PatchSet) -> str:
    """Return what tells these pins from any others; empty where the release is not pinned."""
    pins = expected(patches)
    if pins is None:
        return ""
    return sha256("".join(f"{name} {digest}\n" for name, digest in pins.items()).encode()).hexdigest()[:16]


def of_distribution(distribution: Path) -> dict[str, str]:
    """Return the SHA-256 of each jar below a directory, by its file name."""
    return {jar.name: file_digest(jar, "sha256") for jar in distribution.rglob("*.jar")}


def held(artifact: Artifact, patches: PatchSet) -> Artifact | None:
    """Return an artifact that was held to the pins of now, looking into its archive if it was not yet.

    Returns:
        None when a jar in it is not the pinned one: it is to be built again.
    """
    if artifact.pins == identity(patches):
        return artifact
    try:
        return replace(artifact, pins=check(patches, bundle.jars(artifact.path)))
    except SourceError:
        return None


def check(patches: PatchSet, jars: Mapping[str, str]) -> str:
    """Make sure that the jars of a build are those that were pinned; return the pins' :func:`identity`.

    Args:
        patches: The release, and what was put into its source.
        jars: SHA-256 of every jar of the build, by its file name; those of the release itself are not looked at.

    Raises:
        DigestMismatch: one is another, is not known, or is missing; names each with what was expected and found.
    """
    pins = expected(patches)
    if pins is None:
        return ""
    own = f"-{patches.version}.jar"
    found = {name: jars[name] for name in jars if not (name.startswith("rocketmq-") and name.endswith(own))}
    wrong = [
        f"{name}: {_wrong(pins.get(name), found.get(name))}"
        for name in sorted({*pins, *found})
        if pins.get(name) != found.get(name)
    ]
    if wrong:
        raise DigestMismatch(
            f"Maven fetched other jars for RocketMQ {patches.version} than are known to be its own; "
            "no artifact was made",
            detail="\n".join(wrong),
            remedy="find out which repository gave them (settings.xml, a mirror, a proxy on the way), remove "
            "their directories from Maven's local repository (~/.m2/repository), and build again",
        )
    return identity(patches)


def _wrong(pinned: str | None, found: str | None) -> str:
    if found is None:
        return f"is not there, but is needed with SHA-256 {pinned}"
    if pinned is None:
        return f"SHA-256 {found}, but no such jar is known"
    return f"SHA-256 is {found}, but must be {pinned}"
