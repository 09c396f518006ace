"""Property tests without a time limit for one example: on a busy machine that would be about the machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
