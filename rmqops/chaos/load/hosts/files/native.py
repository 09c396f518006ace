"""Our own client on a client's host: the modules that it is made of, which need nothing but Python's own."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from rmqops import __version__
from rmqops.chaos.load.clients.drivers import MODULE, Native
from rmqops.chaos.load.hosts import files
from rmqops.chaos.load.hosts.files import Archive, ClientProgram, SurveyedHost
from rmqops.errors import PreflightFailed
from rmqops.model.topology import Client
from rmqops.transport.base import Transport

LEAST = (3, 11)
"""As ``requires-python`` in pyproject.toml says."""

_SOURCES = (
    "__init__.py",
    "errors.py",
    "model/__init__.py",
    "model/history.py",
    "model/releases.py",
    "model/roles.py",
    "remoting",
    "chaos/__init__.py",
    "chaos/history/__init__.py",
    "chaos/history/format.py",
    "chaos/load/__init__.py",
    "chaos/load/clients",
)
"""Files of the package, and directories whose Python files are all taken."""

# $own: the interpreter
_PYTHON = """
"$own" -c 'import sys
print("python", sys.executable)
print("version", "%d.%d" % sys.version_info[:2])' 2> /dev/null
exit 0
"""

_CLOCK = "import os, time\nwhile os.read(0, 1): print(time.monotonic_ns(), flush=True)"


@dataclass(frozen=True)
class Modules:
    """Our modules, as they are here."""

    def survey(self, client: Client, transport: Transport) -> SurveyedHost:
        """Find out what a client's host has and lacks; changes nothing.

        Raises:
            PreflightFailed: it has no Python that will do.
            OperationFailed: it cannot be asked.
        """
        named = str(client.variables.get("ansible_python_interpreter", "auto"))
        python = "python3" if named.startswith("auto") else named
        archive = Archive(f"rmqops-{__version__}-{_digest()}", _packed)
        facts, missing = files.survey_host(client, transport, [archive], _PYTHON, python)
        version = facts.get("version", "0.0")
        if tuple(map(int, version.split("."))) < LEAST:
            has = f"Python {version}" if "python" in facts else f"no {python} that runs"
            least = ".".join(map(str, LEAST))
            raise PreflightFailed(
                f"{client.name} has {has}, and the native client needs {least} or later; nothing was touched",
                remedy="name a later one in ansible_python_interpreter for it, or use --driver java",
            )
        python = facts["python"]
        argv = (
            "/usr/bin/env",
            f"PYTHONPATH={files.client_directory(client) / archive.name}",
            python,
            "-P",  # not what lies where the login begins
            "-m",
            MODULE,
        )
        client_program = ClientProgram(lambda mark, silence: Native(argv, mark, silence), (python, "-c", _CLOCK))
        return SurveyedHost(client, transport, client_program, facts["user"], missing)


@cache
def _files() -> dict[str, bytes]:
    """Return the content of every file that travels, by its path below the package."""
    content: dict[str, bytes] = {}
    for name in _SOURCES:
        source = resources.files("rmqops") / name
        modules = (
            [source] if source.is_file() else [file for file in source.iterdir() if file.name.endswith(".py")]
        )
        content |= {_path(name, file): file.read_bytes() for file in modules}
    return content


def _path(name: str, file: Traversable) -> str:
    return name if name.endswith(".py") else str(PurePosixPath(name) / file.name)


def _digest() -> str:
    digest = hashlib.sha256()
    for path, content in sorted(_files().items()):
        digest.update(f"{path} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def _packed() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, content in sorted(_files().items()):
            entry = tarfile.TarInfo(f"load/rmqops/{path}")
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
