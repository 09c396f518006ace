"""How code that does not print tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Say = Callable[[str], None]
"""Takes a short sentence, such as ``restarting broker-a-1``; the command line shows it on standard error."""
