"""What Ansible understands by a value. PURE."""

from __future__ import annotations

_TRUE = frozenset({"y", "yes", "on", "1", "true", "t", "1.0"})
"""``BOOLEANS_TRUE`` of ``ansible.module_utils.parsing.convert_bool``."""


def truthy(value: object) -> bool:
    """Tell whether Ansible takes a value as true; nothing and unknown words are false."""
    return str(value).lower().strip() in _TRUE
