"""Which patches of our own a release is built with, beside or instead of those taken by default. PURE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from rmqops.model.topology import Value

KEY: Final = "rocketmq_patches"


class KnownPatch(Protocol):
    """What a choice needs to know of a patch."""

    @property
    def releases(self) -> tuple[str, ...]:
        """The releases that it is for."""

    @property
    def default(self) -> bool:
        """Whether a build takes it unless told otherwise: it closes a known hole."""

    @property
    def cves(self) -> tuple[str, ...]:
        """The numbers of those holes, where they have any."""


@dataclass(frozen=True)
class PatchChoice:
    """The options of ``rmqops build`` and the keys of ``rocketmq_patches``, which have the same names."""

    extra: tuple[str, ...] = ()
    """``with``: names to add to what is taken by default."""
    without: tuple[str, ...] = ()
    """Names to leave out of it."""
    plain: bool = False
    """Take none: the release as it was published."""

    @property
    def options(self) -> tuple[str, ...]:
        """The choice as words for ``rmqops build``."""
        taken = [word for name in self.extra for word in ("--with", name)]
        left = [word for name in self.without for word in ("--without", name)]
        return (*taken, *left, *(["--plain"] if self.plain else []))

    def objections(self, version: str, known: Mapping[str, KnownPatch]) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the choice for a release, each with its remedy.

        Args:
            version: The release.
            known: Every patch by its name.
        """
        for name in (*self.without, *self.extra):
            if name not in known:
                yield f"there is no patch {name}", f"Use one of {', '.join(sorted(known))}"
            elif version not in known[name].releases:
                yield (
                    f"the patch {name} is for {', '.join(known[name].releases)}, not for {version}",
                    "Leave it out; rmqops build --patches lists them",
                )
        if self.plain and (self.without or self.extra):
            yield "plain takes no patch at all", "Leave out either plain, or with and without"
        if both := sorted({*self.without} & {*self.extra}):
            yield f"with and without both name {', '.join(both)}", "Leave one of them out"

    def omitted(self, version: str, known: Mapping[str, KnownPatch]) -> tuple[str, ...]:
        """Return the patches that a build of the release takes by default and this choice leaves out."""
        return tuple(
            name
            for name, patch in sorted(known.items())
            if patch.default and version in patch.releases and (self.plain or name in self.without)
        )


def read(value: Value) -> PatchChoice:
    """Read the value of ``rocketmq_patches``.

    Raises:
        ValueError: it is none; says which key is wrong and how.
    """
    if not isinstance(value, dict):
        raise ValueError("is no mapping")
    for key, given in value.items():
        if key not in {"with", "without", "plain"}:
            raise ValueError(f"has an unknown key {key}")
        names = isinstance(given, list) and all(isinstance(name, str) for name in given)
        if key == "plain" and not isinstance(given, bool):
            raise ValueError("has a plain that is neither true nor false")
        if key != "plain" and not names:
            raise ValueError(f"has a {key} that is no list of names")
    return PatchChoice(_names(value.get("with")), _names(value.get("without")), plain=value.get("plain") is True)


def _names(value: Value) -> tuple[str, ...]:
    return tuple(str(name) for name in value) if isinstance(value, list) else ()
