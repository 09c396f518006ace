"""The patches of our own that a build puts into RocketMQ: what each mends, and which a build takes.

A patch is a file ``patches/NAME.patch``: lines ``Key: value``, an empty line, why it is as it is, and a unified
diff. One file serves every release that it names; a release that needs another text gets a file of its own.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Final, Literal, cast, get_args

from rmqops.errors import SourceError, UsageError
from rmqops.model.patch_choice import PatchChoice
from rmqops.source import diffs

Kind = Literal["security", "library", "behaviour"]
"""``security`` closes a hole in RocketMQ, ``library`` raises what it ships, ``behaviour`` mends something else."""

DEFAULT: Final = PatchChoice()
_SUFFIX: Final = ".patch"


@dataclass(frozen=True)
class Patch:
    """One patch."""

    name: str
    mends: str
    kind: Kind
    cves: tuple[str, ...]
    """What scanners call it, where it has such a name."""
    releases: tuple[str, ...]
    """The releases that it is for."""
    costs: str
    """What works otherwise than before."""
    text: bytes
    """The whole file."""

    @property
    def default(self) -> bool:
        """Whether a build takes it unless told otherwise: what is a matter of taste is asked for."""
        return self.kind != "behaviour"

    @property
    def sha256(self) -> str:
        """The digest of the file."""
        return sha256(self.text).hexdigest()

    @property
    def diff(self) -> bytes:
        """The file without its head."""
        return self.text[self.text.index(b"\n--- ") + 1 :]


@dataclass(frozen=True)
class PatchSet:
    """The patches that one build takes, by name."""

    version: str
    patches: tuple[Patch, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(patch.name for patch in self.patches)

    @property
    def identity(self) -> str:
        """What tells this set from any other, to the byte; empty for a release as it was published."""
        if not self.patches:
            return ""
        lines = "".join(f"{patch.name} {patch.sha256}\n" for patch in self.patches)
        return sha256(lines.encode()).hexdigest()[:16]

    @property
    def label(self) -> str:
        """The set in a word, for an artifact's name; empty for a release as it was published."""
        if not self.patches:
            return ""
        return "hardened" if set(chosen(self.version).names) <= set(self.names) else "patched"


@cache
def catalogue() -> tuple[Patch, ...]:
    """Return every patch, by name."""
    folder = resources.files("rmqops.source").joinpath("patches")
    files = [file for file in folder.iterdir() if file.name.endswith(_SUFFIX)]
    return tuple(
        sorted((read(file.name.removesuffix(_SUFFIX), file.read_bytes()) for file in files), key=_by_name)
    )


def read(name: str, text: bytes) -> Patch:
    """Read one patch.

    Raises:
        ValueError: its head lacks a line, or has one that is not understood; or its diff is none.
    """
    head = text.partition(b"\n\n")[0].decode()
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    kind = fields["Kind"]
    if kind not in get_args(Kind) or set(fields) != {"Mends", "Kind", "CVE", "Releases", "Costs"}:
        raise ValueError(f"{name}: the head is not understood: {head}")
    diffs.parse(text)
    return Patch(
        name=name,
        mends=fields["Mends"],
        kind=cast("Kind", kind),
        cves=() if fields["CVE"] == "none" else tuple(fields["CVE"].split()),
        releases=tuple(fields["Releases"].split()),
        costs=fields["Costs"],
        text=text,
    )


def chosen(version: str, choice: PatchChoice = DEFAULT, *, patches: Collection[Patch] | None = None) -> PatchSet:
    """Choose the patches of a build.

    Args:
        version: the release; one that no patch is for is built as it was published.
        choice: what differs from the default.
        patches: what to choose from; the whole catalogue unless given.

    Raises:
        UsageError: a name is unknown, is not for the release, or the choice contradicts itself.
    """
    known = {patch.name: patch for patch in (catalogue() if patches is None else patches)}
    for message, remedy in choice.objections(version, known):
        raise UsageError(message, remedy=remedy)
    return PatchSet(
        version,
        tuple(
            patch
            for patch in sorted(known.values(), key=_by_name)
            if version in patch.releases
            and not choice.plain
            and patch.name not in choice.without
            and (patch.default or patch.name in choice.extra)
        ),
    )


def apply(patches: PatchSet, project: Path) -> None:
    """Put patches into the unpacked source of their release.

    Raises:
        SourceError: one does not fit; names the patch, the file and the release.
    """
    for patch in patches.patches:
        try:
            diffs.apply(diffs.parse(patch.text), project)
        except diffs.DoesNotApply as error:
            raise SourceError(
                f"the patch {patch.name} does not fit RocketMQ {patches.version}: {error.path}: {error.reason}",
                remedy=f"give the source as it was published, or build without it: --without {patch.name}",
            ) from error


def _by_name(patch: Patch) -> str:
    return patch.name
