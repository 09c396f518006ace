"""What is right, damaged: bytes, texts and JSON documents, drawn from a seeded generator."""

from __future__ import annotations

import json
import os
from random import Random
from typing import Any

DEEP = "[" * 100_000
HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 10**18, 10**400, float("nan"), float("inf"), -float("inf"), 1e308, "", " ", "x",
    "[/x]", "[bold]", "\x1b[2J", "\ud800", "\0", "a\nb", "../../x", "x" * 100_000, "NaN", "99999999999999999999",
    [], [[]], {}, {"": None}, [None, 1, "x"], {"x": {"x": {"x": []}}},
)  # fmt: skip
"""Values of every type, and some that are nobody's."""


def cases(default: int) -> int:
    """Return how many to try: ``CASES`` of the environment, else the default."""
    return int(os.environ.get("CASES", default))


def spoilt_bytes(content: bytes, draw: Random) -> bytes:
    """Return bytes with a few of them changed, cut out, doubled, or put in."""
    spoilt = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        at, length = draw.randrange(len(spoilt) + 1), draw.choice([1, 1, 2, 8, 100])
        kind = draw.randrange(7)
        if kind == 0:
            spoilt[at : at + length] = draw.randbytes(length)
        elif kind == 1:
            del spoilt[at : at + length]
        elif kind == 2:
            spoilt[at:at] = spoilt[at : at + length]
        elif kind == 3:
            spoilt[at:at] = draw.choice(
                [b"\0" * length, b"\xff\xfe", b"\xef\xbb\xbf", b"\r\n", b"\n", b'"', b"{", b"]"]
            )
        elif kind == 4:
            del spoilt[at:]
        elif kind == 5:
            spoilt[at:at] = DEEP.encode()
        else:
            spoilt[at:at] = draw.choice([b"NaN", b"Infinity", b"1e999", b"-1", b"null", b"true", b"\\ud800"])
    return bytes(spoilt)


def spoilt_text(text: str, draw: Random) -> str:
    """Return a text with a few of its lines or words changed, moved, doubled, or left out."""
    lines = text.split("\n")
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(lines))
        kind = draw.randrange(6)
        if kind == 0:
            del lines[at]
            lines = lines or [""]
        elif kind == 1:
            lines.insert(at, draw.choice(lines))
        elif kind == 2:
            lines[at] = str(draw.choice(HOSTILE))
        else:
            words = lines[at].split(" ")
            words[draw.randrange(len(words))] = str(draw.choice(HOSTILE))[: draw.choice([1, 5, 100_000])]
            lines[at] = " ".join(words)
    return "\n".join(lines)


def spoilt_document(document: Any, draw: Random) -> str:
    """Return a JSON document with a few of its values replaced, left out, or put elsewhere, as text."""
    copy = json.loads(json.dumps(document))
    for _ in range(draw.randint(1, 3)):
        places = list(_places(copy))
        if not places:
            break
        container, key = draw.choice(places)
        kind = draw.randrange(4)
        if kind == 0:
            del container[key]
        elif kind == 1 and isinstance(container, dict):
            container[str(draw.choice(HOSTILE))[:50]] = container[key]
        else:
            container[key] = draw.choice(HOSTILE)
    return json.dumps(copy)


def _places(value: Any) -> list[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [place for key in keys for place in ((value, key), *_places(value[key]))]


def damaged_lines(content: bytes, draw: Random) -> bytes:
    """Return a file of JSON lines, damaged as bytes or in the documents of some of its lines."""
    if draw.randrange(3) == 0:
        return spoilt_bytes(content, draw)
    lines = content.split(b"\n")
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(lines))
        kind = draw.randrange(5)
        if kind == 0:
            lines[at] = spoilt_bytes(lines[at], draw)
        elif kind == 1:
            lines.insert(at, lines[at])
        elif kind == 2:
            lines[at] = draw.choice([b"", DEEP.encode()])
        else:
            lines[at] = _document_line(lines[at], draw)
    return b"\n".join(lines)


def _document_line(line: bytes, draw: Random) -> bytes:
    try:
        return spoilt_document(json.loads(line), draw).encode()
    except (ValueError, RecursionError):
        return spoilt_bytes(line, draw)
