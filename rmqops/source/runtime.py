"""A Java runtime made by jlink, so that hosts need no Java of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from rmqops.errors import PreflightFailed, SourceError
from rmqops.source.jdk import Jdk
from rmqops.source.process import run_logged
from rmqops.system.language import in_english

_OPTIONS: Final = ("--no-header-files", "--no-man-pages")


def require_jlink(jdk: Jdk) -> Path:
    """Return the jlink of a JDK that can make a runtime.

    Raises:
        PreflightFailed: it has no jlink (JDK 8).
    """
    if jdk.jlink is None:
        raise PreflightFailed(
            f"the JDK in {jdk.home} ({jdk.version}) has no jlink, so no runtime can be made from it",
            remedy="name a JDK of version 11 or later with --jdk DIR, or leave --runtime out",
        )
    return jdk.jlink


def runtime_identity(jdk: Jdk, modules: Sequence[str]) -> str:
    """Return what tells a runtime from any other: 16 digits of the digest of all that it is made from."""
    return sha256("\n".join((jdk.identity, *modules, *_OPTIONS)).encode()).hexdigest()[:16]


def make_runtime(
    jdk: Jdk,
    modules: Sequence[str],
    target: Path,
    *,
    environ: Mapping[str, str],
    log: Path,
    keep_open: Sequence[int] = (),
) -> None:
    """Make a runtime of some modules in a new directory.

    jlink reads the JDK's ``jmods`` or, where there are none, the JDK's own run-time image (JEP 493, JDK 24
    and later, if its maker turned that on).

    Raises:
        PreflightFailed: the JDK has no jlink.
        SourceError: jlink failed.
    """
    lines: list[str] = []
    argv = [
        str(require_jlink(jdk)),
        "--add-modules",
        ",".join(modules),
        *_OPTIONS,
        "--output",
        str(target),
    ]
    code = run_logged(
        argv,
        directory=target.parent,
        environ=in_english(environ),
        log=log,
        on_line=lines.append,
        keep_open=keep_open,
    )
    if code != 0:
        raise SourceError(
            f"jlink of {jdk.home} exited with {code}; its log is {log}",
            remedy="make room if a disk is full; else the JDK needs its jmods "
            "(dnf install java-17-openjdk-jmods) or an image that can be linked from (JEP 493)",
            detail="\n".join(lines[-20:]) or None,
        )
