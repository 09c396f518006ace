"""Every instance has directories of its own, absolute ones, and none that belongs to the system."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rmqops.errors import Problem
from rmqops.model import system_places
from rmqops.model.cluster import Cluster, InventoryHost

_KEYS: Final = ("rocketmq_base_dir", "rocketmq_instance_dir", "rocketmq_data_dir", "rocketmq_log_dir")
_RESERVED: Final = ("current", "heals", "pid", "promoted", "run", "trees")
_BAD: Final = re.compile(r"""[^ -~]|['"`$\\:;%*?{}<>|&!()\[\]#]""")
"""Characters with a meaning in a class path, a properties file, a unit or a shell."""


@dataclass(frozen=True)
class _DirectoryClaim:
    host: InventoryHost
    key: str
    path: str


def check(cluster: Cluster) -> Iterator[Problem]:
    """Yield paths that are unfit, and directories that instances share.

    A default is not judged: what is wrong with it is wrong with what it is made of.
    """
    for host in cluster.members:
        for key in (*_KEYS, "rocketmq_java_home"):
            if host.text(key) and key in host.raw.variables:
                yield from _path(host, key, host.text(key))
        yield from _within(host)
    for host in cluster.clients:
        for key in ("rocketmq_base_dir", "rocketmq_java_home"):
            if host.text(key) and key in host.raw.variables:
                yield from _path(host, key, host.text(key))
    for hosts in cluster.places.values():
        yield from _shared(hosts)


def _path(host: InventoryHost, key: str, path: str) -> Iterator[Problem]:
    absolute = "Write an absolute path, such as /opt/rocketmq"
    if not path.startswith("/"):
        yield host.problem(key, "is not an absolute path", absolute)
        return
    if ".." in path.split("/"):
        yield host.problem(key, "goes up by `..`", absolute)
    bad = _BAD.search(path)
    if bad or (" " in path and host.text("rocketmq_supervisor") != "detached") or path != path.strip():
        character = bad[0] if bad else " "
        what = f"has the character {character!r}, which means something else in the files that it is written to"
        yield host.problem(key, what, "Use letters, digits, `/`, `_`, `.` and `-`")
    if key != "rocketmq_java_home" and (why := _foreign(host, path)):
        yield host.problem(key, why, "Use a directory of its own, such as /opt/rocketmq")


def _foreign(host: InventoryHost, path: str) -> str | None:
    return system_places.reason(path, units=host.text("rocketmq_supervisor") == "systemd")


def _within(host: InventoryHost) -> Iterator[Problem]:
    """Yield directories of one instance that would swallow one another."""
    paths = {claim.key: claim.path for claim in _claims(host)}
    base, home = host.text("rocketmq_base_dir"), paths.get("rocketmq_instance_dir")
    own = "Leave it to rmqops, or use a directory of its own"
    for key, path in paths.items():
        if base and (_inside(_clean(base), path) or _inside(path, f"{_clean(base)}/releases")):
            what = f"would hold the releases of all instances, or lie among them ({base}/releases)"
            yield host.problem(key, what, own)
        elif key != "rocketmq_instance_dir" and home and _inside(home, path):
            yield host.problem(key, f"holds the instance's own directory, {home}", own)
        elif home and any(_inside(path, f"{home}/{name}") for name in _RESERVED):
            yield host.problem(key, f"lies where rmqops keeps its own files, in {home}", own)
    data, logs = paths.get("rocketmq_data_dir"), paths.get("rocketmq_log_dir")
    if data and logs and (_inside(data, logs) or _inside(logs, data)):
        yield host.problem("rocketmq_log_dir", f"and the data directory, {data}, hold one another", own)


def _shared(hosts: tuple[InventoryHost, ...]) -> Iterator[Problem]:
    """Yield what each instance shares with the first of those before it."""
    before: list[_DirectoryClaim] = []
    for host in hosts:
        claims = list(_claims(host))
        pairs = ((claim, other) for claim in claims for other in before)
        for claim, other in pairs:
            if _inside(claim.path, other.path) or _inside(other.path, claim.path):
                origin = other.host.raw.origins.get(other.key, "by default")
                holder = f"{other.key} of {other.host.name} ({other.path}, {origin}) on the same machine"
                what = f"is {holder}, too" if claim.path == other.path else f"and {holder} hold one another"
                remedy = "Give every instance its own, for example with {{ inventory_hostname }} in the path"
                yield host.problem(claim.key, what, remedy)
                break
        before += claims


def _claims(host: InventoryHost) -> Iterator[_DirectoryClaim]:
    for key in ("rocketmq_instance_dir", "rocketmq_data_dir", "rocketmq_log_dir"):
        path = _clean(host.text(key))
        if host.text(key).startswith("/") and not _foreign(host, path):
            yield _DirectoryClaim(host, key, path)


def _clean(path: str) -> str:
    return "/" + posixpath.normpath(path).lstrip("/")


def _inside(path: str, directory: str) -> bool:
    """Tell whether a path is a directory or lies in it."""
    return path == directory or path.startswith(f"{directory.rstrip('/')}/")
