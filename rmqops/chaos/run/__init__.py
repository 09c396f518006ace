"""A drill under way: what must be true before it, its phases, its faults, its heals, its read-back."""
