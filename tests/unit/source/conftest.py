"""A release, a JDK and a Maven that cost nothing: a zip with a pom, and two shell scripts."""

from __future__ import annotations

import hashlib
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rmqops.source.build import BuildOptions, BuildOutcome, build
from rmqops.source.cache import Cache
from rmqops.source.progress import Progress

VERSION = "9.9.9"

MAVEN = """#!/bin/sh
echo "$JAVA_HOME $JDK_JAVAC_OPTIONS $*" >> "{calls}"
case "$*" in
*:copy*) {fetch} ;;
esac
echo "[INFO] Building Apache RocketMQ 9.9.9 9.9.9                              [1/2]"
echo "[INFO] Building rocketmq-store 9.9.9 9.9.9                               [2/2]"
{body}
home=distribution/target/rocketmq-9.9.9/rocketmq-9.9.9
mkdir -p $home/bin $home/lib $home/conf
echo "#!/bin/sh" > $home/bin/mqnamesrv
chmod 755 $home/bin/mqnamesrv
date +%N > $home/lib/rocketmq-store-9.9.9.jar
"""

JLINK = """#!/bin/sh
while [ "$1" != --output ]; do shift; done
mkdir -p "$2/bin"
echo java > "$2/bin/java"
"""


@dataclass
class Workshop:
    """Everything a build needs, in one temporary directory."""

    root: Path
    seen: list[Progress] = field(default_factory=list)

    @property
    def cache(self) -> Cache:
        return Cache(self.root / "cache")

    @property
    def zip(self) -> Path:
        return self.root / "release.zip"

    @property
    def sha512(self) -> str:
        return hashlib.sha512(self.zip.read_bytes()).hexdigest()

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
            "JAVA_HOME": str(self.root / "jdk"),
            "RMQOPS_CACHE": str(self.cache.root),
        }

    @property
    def maven_calls(self) -> list[str]:
        calls = self.root / "calls"
        return calls.read_text().splitlines() if calls.exists() else []

    def write_zip(self, **extra: str) -> None:
        with zipfile.ZipFile(self.zip, "w") as archive:
            archive.writestr("rocketmq-all-9.9.9/pom.xml", "<project/>")
            for name, text in extra.items():
                archive.writestr(name, text)

    def write_maven(self, body: str = "", fetch: str = "exit 1") -> None:
        text = MAVEN.format(calls=self.root / "calls", body=body, fetch=fetch)
        write_program(self.root / "bin" / "mvn", text)

    def write_jdk(self, name: str = "jdk", version: str = "17.0.1") -> Path:
        home = self.root / name
        for program in ("java", "javac"):
            write_program(home / "bin" / program, "#!/bin/sh\n")
        (home / "release").write_text(f'JAVA_VERSION="{version}"\n')
        return home

    def write_jlink(self, home: Path) -> None:
        write_program(home / "bin" / "jlink", JLINK)

    def build(self, **options: object) -> BuildOutcome:
        wanted = {"source": self.zip, "sha512": self.sha512, **options}
        return build(
            VERSION,
            options=BuildOptions(**wanted),  # type: ignore[arg-type]
            progress=self.seen.append,
            cache=self.cache,
            environ=self.environ,
        )

    def left(self) -> list[str]:
        """Name everything in the cache that a build that failed must not leave."""
        return [
            str(path.relative_to(self.cache.root))
            for name in ("work", "sources", "artifacts", "records")
            for path in sorted((self.cache.root / name).rglob("*"))
        ]


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path)
    made.write_zip()
    made.write_maven()
    made.write_jdk()
    return made
