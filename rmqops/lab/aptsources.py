"""PURE. Where this machine's own apt takes packages from, so that debootstrap takes them from there, too.

Both forms of ``sources.list(5)``: one line a source, and deb822 stanzas (``*.sources``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s*(?P<components>.*)")


@dataclass(frozen=True)
class AptSource:
    """One archive and one of its suites."""

    uri: str
    suite: str
    components: tuple[str, ...]
    keyring: str | None
    """The file of the keys that it is signed by, where the source names one."""


def parse(files: Mapping[str, str]) -> tuple[AptSource, ...]:
    """Return the binary sources of apt's source files, given as text by path."""
    sources: list[AptSource] = []
    for path, text in files.items():
        sources += _stanzas(text) if path.endswith(".sources") else _lines(text)
    return tuple(sources)


def main_archive(sources: tuple[AptSource, ...], codename: str) -> AptSource | None:
    """Return the archive of a release itself, not of its updates or of somebody else's packages."""
    fitting = [source for source in sources if source.suite == codename and "main" in source.components]
    return fitting[0] if fitting else None


def _lines(text: str) -> Iterator[AptSource]:
    for line in text.splitlines():
        match = _LINE.fullmatch(line.split("#", 1)[0].strip())
        if match:
            signed = re.search(r"\bsigned-by=(/\S+)", match["options"] or "", re.IGNORECASE)
            yield AptSource(match["uri"], match["suite"], tuple(match["components"].split()), signed and signed[1])


def _stanzas(text: str) -> Iterator[AptSource]:
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        key = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace() and key:
                fields[key] += "\n" + line.strip()
            elif ":" in line:
                key, _, value = line.partition(":")
                key = key.strip().lower()
                fields[key] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
            continue
        signed = fields.get("signed-by", "").split()
        keyring = signed[0] if signed and signed[0].startswith("/") else None
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield AptSource(uri, suite, tuple(fields.get("components", "").split()), keyring)
