"""``rmqops build``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rmqops.cli import output
from rmqops.cli.options import Json
from rmqops.model.releases import DEFAULT_VERSION

if TYPE_CHECKING:
    from rmqops.source.artifacts import Artifact, RuntimeArtifact
    from rmqops.source.build import BuildOutcome
    from rmqops.source.patching import Patch

MEGABYTE = 1_000_000


def command(
    *,
    version: Annotated[str, typer.Option("--version", metavar="V", help="The release.")] = DEFAULT_VERSION,
    source: Annotated[Path | None, typer.Option("--source", metavar="ZIP", help="A local source zip.")] = None,
    origin: Annotated[
        Literal["zip", "maven", "apache"] | None,
        typer.Option("--from", help="The only place to ask; else Maven is asked, then the Apache archive."),
    ] = None,
    sha512: Annotated[
        str | None,
        typer.Option("--sha512", metavar="DIGEST", help="Of the source zip of a release that is not pinned."),
    ] = None,
    keyring: Annotated[
        Path | None, typer.Option("--keyring", metavar="FILE", help="Verify the signature with these keys.")
    ] = None,
    jdk: Annotated[
        Path | None, typer.Option("--jdk", metavar="DIR", help="The JDK to build with, 8 or later.")
    ] = None,
    runtime: Annotated[
        bool, typer.Option("--runtime", help="Make a Java runtime, too: hosts then need no Java.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Use no network, only the caches.")] = False,
    without: Annotated[
        list[str] | None, typer.Option("--without", metavar="NAME", help="Leave out a patch; may be given again.")
    ] = None,
    extra: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="NAME", help="Take a patch that is not taken by default; likewise."),
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Take no patch: the release as published.")] = False,
    patches: Annotated[
        bool, typer.Option("--patches", help="List the patches and what each mends; build nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Build RocketMQ from source into one artifact in the cache; at once when it is there already.

    Known holes are closed by patches (docs/security.md), unless told otherwise.
    """
    if patches:
        _list(json)
        return
    from rmqops.cli.build_display import shown
    from rmqops.model.patch_choice import PatchChoice
    from rmqops.source import patching
    from rmqops.source.build import BuildOptions, build
    from rmqops.source.fetch import SourceOrigin

    options = BuildOptions(
        source=source,
        origin=SourceOrigin(origin) if origin else None,
        sha512=sha512,
        keyring=keyring,
        jdk=jdk,
        runtime=runtime,
        offline=offline,
        patches=patching.chosen(version, PatchChoice(tuple(extra or ()), tuple(without or ()), plain=plain)),
    )
    started = time.monotonic()
    with shown() as report:
        outcome = build(version, options=options, progress=report)
    seconds = round(time.monotonic() - started, 3)
    if json:
        output.result_json(_fields(outcome, seconds))
    else:
        output.result(*_lines(outcome, seconds))


def _list(json: bool) -> None:
    from rmqops.source import patching

    known = patching.catalogue()
    if json:
        output.result_json([_patch_fields(patch) for patch in known])
        return
    output.table(
        "Patches",
        ["name", "mends", "CVE", "releases", "taken", "costs"],
        [
            [
                patch.name,
                patch.mends,
                " ".join(patch.cves) or "none",
                " ".join(patch.releases),
                "by default" if patch.default else f"--with {patch.name}",
                patch.costs,
            ]
            for patch in known
        ],
    )


def _patch_fields(patch: Patch) -> dict[str, object]:
    return {
        "name": patch.name,
        "mends": patch.mends,
        "kind": patch.kind,
        "cves": list(patch.cves),
        "releases": list(patch.releases),
        "default": patch.default,
        "costs": patch.costs,
        "sha256": patch.sha256,
    }


def _fields(outcome: BuildOutcome, seconds: float) -> dict[str, object]:
    artifact = outcome.artifact
    return {
        "version": artifact.version,
        "name": artifact.name,
        **_archive(artifact),
        "source_sha512": artifact.source_sha512,
        "signed_by": outcome.signed_by,
        "patches": list(artifact.patches),
        "sbom": str(artifact.bill),
        "jdk": artifact.jdk,
        "oldest_java": artifact.oldest_java,
        "built": artifact.built,
        "compiled": outcome.compiled,
        "log": str(artifact.log),
        "seconds": seconds,
        "runtime": {
            "name": artifact.runtime.name,
            "java": artifact.runtime.java,
            "machine": artifact.runtime.machine,
            **_archive(artifact.runtime),
        }
        if artifact.runtime
        else None,
    }


def _archive(archive: Artifact | RuntimeArtifact) -> dict[str, object]:
    return {"path": str(archive.path), "sha256": archive.digest, "size": archive.size}


def _lines(outcome: BuildOutcome, seconds: float) -> list[str]:
    artifact = outcome.artifact
    lines = [
        str(artifact.path),
        f"  sha256  {artifact.digest}",
        f"  size    {artifact.size / MEGABYTE:.1f} MB",
        f"  runs on Java {artifact.oldest_java} and later, compiled by JDK {artifact.jdk}",
    ]
    lines.append(f"  patches {', '.join(artifact.patches) or 'none'}")
    lines.append(f"  sbom    {artifact.bill}")
    if outcome.signed_by:
        lines.append(f"  signed  by {outcome.signed_by}")
    if artifact.runtime:
        lines += [
            str(artifact.runtime.path),
            f"  sha256  {artifact.runtime.digest}",
            f"  size    {artifact.runtime.size / MEGABYTE:.1f} MB",
            f"  is Java {artifact.runtime.java} for {artifact.runtime.machine}",
        ]
    lines.append(f"built in {seconds:.1f} s" if outcome.compiled else f"was there already; took {seconds:.1f} s")
    lines.append(f"log {artifact.log}")
    return lines
