"""One file a fault. PURE: a fault is a plan of commands."""
