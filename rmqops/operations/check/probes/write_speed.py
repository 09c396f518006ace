"""How fast the data's file system takes writes that must be on the disk.

Blocks of 1 MiB, each flushed before the next (``oflag=dsync``), up to 16 MiB or one second. The file is unlinked
before the first byte is written, so nothing can be left behind; where little room is left nothing is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rmqops.model.commands import Command
from rmqops.operations.check.probes import Finding, Survey, ok, unknown, warning
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer

SUMMARY = (
    "Flushed writes to each data directory's file system are fast enough; at most 16 MiB and one second, "
    "into a file without a name."
)
LEAST = 30.0
"""Megabytes a second; a single spinning disk does better."""

_SCRIPT: Final = """
seen=
for path; do
  place=$path
  until [ -d "$place/" ]; do place=${place%/*}; done
  device=$(stat -c %d "$place/")
  case " $seen " in *" $device "*) continue ;; esac
  seen="$seen $device"
  printf 'place %s\\n' "${place:-/}"
  free=$(df -B1 --output=avail "$place/") free=${free##*[!0-9]}
  [ "${free:-0}" -ge 268435456 ] || { echo full; continue; }
  # A new file and no other, whoever may write here as well: by -C the shell opens none that is there, nor a link.
  (
    file=$(mktemp -u "$place/.rmqops-check-XXXXXX") && set -C && exec 3> "$file" || exit
    rm -f "$file"
    timeout -s INT 1 dd if=/dev/zero of=/dev/fd/3 bs=1M count=16 oflag=dsync 2>&1
  )
done
"""
_COPIED: Final = re.compile(r"(\d+) bytes.* copied, ([\d.e+-]+) s")


def ask(machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Write where brokers will write."""
    paths = [broker.text("rocketmq_data_dir") for broker in machine.brokers]
    if paths:
        yield Command.shell(_SCRIPT, *paths, timeout=10)


def judge(_machine: Machine, answers: tuple[Answer, ...], _survey: Survey) -> Iterator[Finding]:
    """Hold the speed of each file system against the least."""
    wanted = f"{LEAST:g} MB/s or more"
    for block in "".join(answer.output for answer in answers).split("place ")[1:]:
        place, _, rest = block.partition("\n")
        copied = _COPIED.search(rest)
        if rest.startswith("full"):
            remedy = "Make room first, see the row of disk"
            yield unknown("not measured: less than 256 MiB free", wanted, remedy, subject=place)
        elif copied is None or float(copied[2]) <= 0:
            yield unknown("nothing could be written", wanted, "See the row of disk", subject=place)
        else:
            speed = int(copied[1]) / float(copied[2]) / 1e6
            found = f"{speed:.0f} MB/s"
            if speed < LEAST:
                remedy = "Use a faster disk, or look what else writes to it"
                yield warning(found, wanted, remedy, subject=place)
            else:
                yield ok(found, wanted, subject=place)
