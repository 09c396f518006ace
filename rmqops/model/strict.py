"""Values from files that people write: every key known, every type its own; a slip is never a default."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """An immutable value that refuses unknown keys, other types, infinities and not-a-number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, populate_by_name=True)
