"""Compile Java sources of our own against the jars of a release, once for each content."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rmqops.errors import SourceError
from rmqops.model.releases import OLDEST_JAVA
from rmqops.source.artifacts import Artifact
from rmqops.source.cache import Cache, default_cache, unpacked
from rmqops.source.jdk import Jdk
from rmqops.source.progress import ProgressListener, silent
from rmqops.system.language import in_english

TARGET: Final = OLDEST_JAVA
"""The Java that the classes run on, and all later ones."""

TIMEOUT: Final = 120.0
LINES: Final = 25
"""How much of what the compiler says goes into an error; its first error is what the others follow from."""


def compiled(
    sources: Mapping[str, str],
    against: Artifact,
    jdk: Jdk,
    cache: Cache | None = None,
    report: ProgressListener = silent,
) -> Path:
    """Return the directory of the classes of some sources, compiling them the first time.

    Args:
        sources: The text of each file, by its name.
        against: The release whose ``lib`` is the class path.
        jdk: What compiles, if something must be compiled.
        cache: Where the classes are kept; the user's own unless given.
        report: Told when somebody else compiles meanwhile.

    Raises:
        SourceError: they do not compile; with what the compiler said.
    """
    cache = cache or default_cache()
    target = cache.root / "classes" / _name(sources, against)
    if target.is_dir():
        return target
    library = unpacked(against, cache, report) / "lib"
    with cache.locked("classes", f"compiling against {against.name}", report):
        if target.is_dir():
            return target
        half = target.parent / ".half"
        shutil.rmtree(half, ignore_errors=True)
        try:
            (half / "sources").mkdir(parents=True)
            for name, text in sources.items():
                (half / "sources" / name).write_text(text, encoding="utf-8")
            _compile(sorted((half / "sources").iterdir()), library, half / "classes", jdk)
            (half / "classes").rename(target)
        finally:
            shutil.rmtree(half, ignore_errors=True)
    return target


def _name(sources: Mapping[str, str], against: Artifact) -> str:
    content = hashlib.sha256(f"{TARGET} {against.digest}".encode())
    for name, text in sorted(sources.items()):
        content.update(f"\0{name}\0{text}".encode())
    return f"{against.name}-{content.hexdigest()[:16]}"


def _compile(files: list[Path], library: Path, target: Path, jdk: Jdk) -> None:
    target.mkdir()
    # Only JDK 9 and later check that nothing newer of Java's own library is used.
    language = ["--release", str(TARGET)] if jdk.major > TARGET else []
    argv = [str(jdk.home / "bin" / "javac"), *language, "-nowarn", "-Xlint:-options", "-encoding", "UTF-8"]
    argv += ["-cp", f"{library}/*", "-d", str(target), *map(str, files)]
    try:
        done = subprocess.run(
            argv,
            env=in_english(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceError(f"{argv[0]} cannot compile: {error}", remedy="use another JDK (JAVA_HOME)") from error
    if done.returncode:
        raise SourceError(
            f"{argv[0]} ended with {done.returncode}: the classes do not compile against {library}",
            detail="\n".join((done.stdout + done.stderr).strip().splitlines()[:LINES]),
            remedy="the first line says why; a class of RocketMQ that is not found means another release",
        )
