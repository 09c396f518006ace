"""One file a check. PURE: from a history to a verdict."""
