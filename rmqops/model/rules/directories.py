"""Every instance has directories of its own, absolute ones, and none that belongs to the system."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rmqops.errors import Problem
from rmqops.model.cluster import Cluster, Host

_KEYS: Final = ("rocketmq_base_dir", "rocketmq_instance_dir", "rocketmq_data_dir", "rocketmq_log_dir")
_SYSTEM: Final = re.compile(
    r"/|/(bin|boot|dev|etc|home|lib|lib32|lib64|media|mnt|opt|proc|root|run|sbin|srv|sys|tmp|usr|var)"
    r"|/usr/local|/var/(cache|lib|log|run|spool|tmp)"
)
"""Directories that may hold ours and are not ours."""
_FORBIDDEN: Final = (
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/proc",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/lib",
)
"""Directories that may not even hold ours."""
_BAD: Final = re.compile(r"""[^ -~]|['"`$\\:;%*?{}<>|&!()\[\]#]""")
"""Characters with a meaning in a class path, a properties file, a unit or a shell."""


@dataclass(frozen=True)
class _Claim:
    host: Host
    key: str
    path: str


def check(cluster: Cluster) -> Iterator[Problem]:
    """Yield paths that are unfit, and directories that instances share."""
    for host in cluster.members:
        for key in (*_KEYS, "rocketmq_java_home"):
            if host.text(key):
                yield from _path(host, key, host.text(key))
        yield from _within(host)
    for hosts in cluster.places.values():
        yield from _shared(hosts)


def _path(host: Host, key: str, path: str) -> Iterator[Problem]:
    absolute = "Write an absolute path, such as /opt/rocketmq"
    if not path.startswith("/"):
        yield host.problem(key, "is not an absolute path", absolute)
        return
    if ".." in path.split("/"):
        yield host.problem(key, "goes up by `..`", absolute)
    bad = _BAD.search(path)
    if bad or (" " in path and host.text("rocketmq_supervisor") == "systemd") or path != path.strip():
        character = bad[0] if bad else " "
        what = f"has the character {character!r}, which means something else in the files that it is written to"
        yield host.problem(key, what, "Use letters, digits, `/`, `_`, `.` and `-`")
    clean = _clean(path)
    if key != "rocketmq_java_home" and (
        _SYSTEM.fullmatch(clean) or any(_inside(clean, place) for place in _FORBIDDEN)
    ):
        yield host.problem(key, "belongs to the system", "Use a directory of its own, such as /opt/rocketmq")


def _within(host: Host) -> Iterator[Problem]:
    """Yield directories of one instance that would swallow one another."""
    paths = {key: _clean(host.text(key)) for key in _KEYS if host.text(key).startswith("/")}
    if host.kind == "namesrv":
        paths.pop("rocketmq_data_dir", None)
    base, home = paths.get("rocketmq_base_dir"), paths.get("rocketmq_instance_dir")
    data, logs = paths.get("rocketmq_data_dir"), paths.get("rocketmq_log_dir")
    own = "Leave it to rmqops, or use a directory of its own"
    for key, path in paths.items():
        if key != "rocketmq_base_dir" and base and (_inside(base, path) or _inside(path, f"{base}/releases")):
            what = f"would hold the releases of all instances, or lie among them ({base}/releases)"
            yield host.problem(key, what, own)
        if key in {"rocketmq_data_dir", "rocketmq_log_dir"} and home:
            if _inside(home, path):
                yield host.problem(key, f"holds the instance's own directory, {home}", own)
            elif any(_inside(path, f"{home}/{name}") for name in ("current", "run", "trees")):
                yield host.problem(key, f"lies where rmqops keeps its own files, in {home}", own)
    if data and logs and (_inside(data, logs) or _inside(logs, data)):
        yield host.problem("rocketmq_log_dir", f"and the data directory, {data}, hold one another", own)


def _shared(hosts: tuple[Host, ...]) -> Iterator[Problem]:
    claims = [claim for host in hosts for claim in _claims(host)]
    said: set[tuple[str, str]] = set()
    for index, claim in enumerate(claims):
        for other in claims[:index]:
            pair = (claim.host.name, other.host.name)
            if claim.host is other.host or pair in said:
                continue
            if _inside(claim.path, other.path) or _inside(other.path, claim.path):
                said.add(pair)
                how = "is" if claim.path == other.path else "and"
                tail = "" if claim.path == other.path else " hold one another"
                origin = other.host.raw.origins.get(other.key, "by default")
                what = f"{how} {other.key} of {other.host.name} ({other.path}, {origin}) on the same machine{tail}"
                remedy = "Give every instance its own, for example with {{ inventory_hostname }} in the path"
                yield claim.host.problem(claim.key, what, remedy)


def _claims(host: Host) -> Iterator[_Claim]:
    for key in ("rocketmq_instance_dir", "rocketmq_data_dir", "rocketmq_log_dir"):
        if host.text(key).startswith("/") and not (key == "rocketmq_data_dir" and host.kind == "namesrv"):
            yield _Claim(host, key, _clean(host.text(key)))


def _clean(path: str) -> str:
    return "/" + posixpath.normpath(path).lstrip("/")


def _inside(path: str, directory: str) -> bool:
    """Tell whether a path is a directory or lies in it."""
    return path == directory or path.startswith(f"{directory.rstrip('/')}/")
