"""The broker id that tells a master from a slave."""

from __future__ import annotations

from typing import Final

MASTER_ID: Final = 0
"""The broker id of a group's master in every route (``MixAll.MASTER_ID``); every other id is a slave's."""
