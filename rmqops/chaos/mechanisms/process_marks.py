"""Processes of ours that are known by a word of their command line alone, never by a stored pid. PURE: shell."""

from __future__ import annotations

# `bearers WORD…` prints the pid of each process with one of the words, whole, on its command line; not of a grep.
BEARERS = """
bearers() {
  printf '%s\\n' "$@" | grep -alzFx -f - /proc/[0-9]*/cmdline 2>/dev/null | sed 's,/proc/\\([0-9]*\\)/.*,\\1,'
}
"""
