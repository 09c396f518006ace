"""What a mistyped name was meant to be."""

from __future__ import annotations

from collections.abc import Iterable


def suggestion(name: str, known: Iterable[str]) -> str | None:
    """Return `Did you mean …?` for the nearest known name, or None when none is near."""
    import difflib  # costs as much as a rule, and is needed for mistakes alone

    names = list(known)
    for candidate in names:
        if candidate.lower() == name.lower():
            return f"Did you mean {candidate}?"
    matches = difflib.get_close_matches(name, names, n=1, cutoff=0.7)
    return f"Did you mean {matches[0]}?" if matches else None
