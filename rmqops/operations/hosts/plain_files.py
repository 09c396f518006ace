"""Reading on a host what the service may write: regular files, so much of them, without waiting. PURE: shell.

A link, a pipe, a socket or a directory may lie where a log is looked for, and a file may claim to have a terabyte.
Whoever reads is the service's own user (:data:`rmqops.model.commands.AS_USER`): what it could not read itself it
cannot have read for it.
"""

from __future__ import annotations

from typing import Final

BYTES: Final = 16 << 20
"""The most that is read of the end of a file."""

# `plain FILE` tells whether it is a regular file, `end FILE BYTES` prints the end of one, without the zeros that a
# hole has, in lines of a bounded length, and `oddity FILE` prints what lies there in its place, if anything does.
SHELL: Final = f"""
plain() {{ [ -f "$1" ] && [ ! -L "$1" ]; }}
end() {{
  plain "$1" && size=$(stat -c %s -- "$1") || return 1
  most=${{2:-{BYTES}}}
  [ "$size" -gt "$most" ] || most=$size
  dd if="$1" iflag=nofollow,nonblock,skip_bytes,count_bytes skip="$((size - most))" count="$most" bs=64k \\
    status=none 2> /dev/null | tr -d '\\000' | cut -b -16384
}}
oddity() {{
  plain "$1" || {{ [ ! -e "$1" ] && [ ! -L "$1" ]; }} || stat -c %F -- "$1"
}}
"""
