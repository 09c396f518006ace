"""The interface of Java 8 as newer JDKs carry it, to compile against, so that the result runs on Java 8.

``-source 8 -target 8`` alone compiles against the JDK's own classes, and javac links to methods that Java 8
lacks: ``ByteBuffer.flip()`` returns ByteBuffer since 9, ``MappedByteBuffer.slice()`` MappedByteBuffer since 17.
Daemons compiled that way start on an older Java, and fail with NoSuchMethodError at the first message (measured:
4.4.0 and 4.5.2 from JDK 17 on Java 8, 4.5.2 from JDK 28 on Java 11). ``--release 8`` would be right, but it hides
``sun.nio.ch``, which the store of every 4.x needs.

So the public classes of Java 8 are put before the JDK's own. They come from ``lib/ct.sym``, the file that
``--release`` reads (JEP 247).
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from rmqops.source.jdk import Jdk

NEEDS_NO_HELP: Final = 8
"""The major version whose own classes are those of Java 8."""


def java8_classes(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pick the classes of Java 8 in ``java.*`` from the entries of a ``ct.sym``.

    An entry's first directory names the releases that have the class so, a character each, such as ``87`` or
    ``89ABC``; from JDK 12 on the module follows.

    Yields:
        The entry's name, and where it belongs on a class path.
    """
    for name in names:
        releases, _, rest = name.partition("/")
        if "8" not in releases or "-" in releases or not rest.endswith(".sig"):
            continue
        first, _, inner = rest.partition("/")
        place = inner if "." in first else rest
        if place.startswith("java/"):
            yield name, place.removesuffix(".sig") + ".class"


def extract_java8(jdk: Jdk, target: Path) -> bool:
    """Write the classes of Java 8 into a new directory; False when the JDK does not carry them."""
    try:
        with zipfile.ZipFile(jdk.home / "lib" / "ct.sym") as symbols:
            for name, place in java8_classes(symbols.namelist()):
                path = target / place
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(symbols.read(name))
    except (FileNotFoundError, zipfile.BadZipFile):
        return False
    return (target / "java" / "nio" / "ByteBuffer.class").is_file()


def compiler_options(classes: Path) -> str:
    """Return the options, as JDK_JAVAC_OPTIONS takes them, that compile against such a directory."""
    return f'"-Xbootclasspath/p:{classes}"'


def oldest_target(jdk: Jdk, java8: bool) -> int:
    """Return the oldest Java major version that runs what a JDK compiles of RocketMQ 4.x.

    Args:
        jdk: the JDK.
        java8: whether it compiled against the classes of Java 8.
    """
    if java8 or jdk.major == NEEDS_NO_HELP:
        return 8
    return 17 if jdk.major >= 17 else 9
