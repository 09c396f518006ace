"""Kernel settings that hosts share with their machine: raised where a lab needs it, and put back.

What they were is kept in a label of the lab's network, so that it survives the lab's state. Of several labs the
last one to go puts back what the first one found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rmqops.errors import PreflightFailed

INOTIFY: Final = "fs.inotify.max_user_instances"
"""A systemd takes about ten, all hosts count as one root, and the default is 128: 26 hosts booted, and no more."""
INOTIFY_A_HOST: Final = 16
INOTIFY_OF_OTHERS: Final = 128

TUNED: Final = (
    "vm.dirty_background_ratio",
    "vm.dirty_ratio",
    "vm.dirty_writeback_centisecs",
    "vm.max_map_count",
    "vm.min_free_kbytes",
    "vm.overcommit_memory",
    "vm.page-cluster",
    "vm.swappiness",
    "vm.zone_reclaim_mode",
)
"""What RocketMQ's ``bin/os.sh`` sets and has no namespace: a host that may write them changes the machine's."""

PROC: Final = Path("/proc/sys")


def read(keys: Sequence[str], root: Path = PROC) -> dict[str, str]:
    """Return the values of settings; one that this kernel does not have is left out."""
    values = {}
    for key in keys:
        path = _path(root, key)
        if path.is_file():
            values[key] = path.read_text("ascii").strip()
    return values


def write(values: Mapping[str, str], root: Path = PROC) -> tuple[str, ...]:
    """Set what differs; return its keys."""
    differing = {key: value for key, value in values.items() if read([key], root).get(key, value) != value}
    for key, value in differing.items():
        try:
            _path(root, key).write_text(f"{value}\n", "ascii")
        except OSError as error:
            raise PreflightFailed(
                f"the kernel setting {key} cannot be set to {value}: {error.strerror}",
                remedy=f"sysctl -w {key}={value}",
            ) from error
    return tuple(differing)


def _path(root: Path, key: str) -> Path:
    return root.joinpath(*key.split("."))


def label(values: Mapping[str, str]) -> str:
    """Return settings as the value of a label."""
    return ",".join(f"{key}={value}" for key, value in sorted(values.items()))


def unlabel(text: str) -> dict[str, str]:
    """Return the settings of a label; only those that a lab may have changed."""
    values = {}
    for part in text.split(","):
        key, _, value = part.partition("=")
        if key in {INOTIFY, *TUNED} and value.isdecimal():
            values[key] = value
    return values


def originals(now: Mapping[str, str], others: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return what settings were before any lab: as another lab has found them, else as they are now."""
    values = dict(now)
    for other in others:
        values |= {key: value for key, value in other.items() if key in now}
    return values


def inotify_wanted(hosts: int) -> int:
    """Return how many inotify instances that many hosts need, the machine's own included."""
    return INOTIFY_OF_OTHERS + INOTIFY_A_HOST * hosts
