"""What an operator's ``ansible.cfg`` and environment tell Ansible, by asking it: ``ansible-config dump``.

Which file that is (``ANSIBLE_CONFIG``, ``./ansible.cfg`` unless others may write there, ``~/.ansible.cfg``,
``/etc/ansible/ansible.cfg``), how its values are read, and that the environment stands above it is decided by
Ansible. The question takes a third of a second, so its answer is kept, by the content of all that it may have come
from: every one of those files, what decides between them, ``ANSIBLE_*`` and whatever variables a file refers to,
the working directory, the home, and Ansible's release. An answer with a password in it is not kept.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final, cast

from rmqops.errors import InventoryError, OperationFailed, Problem, ToolMissing
from rmqops.model.ansible import complaint
from rmqops.model.topology import Value
from rmqops.system.files import write_whole
from rmqops.system.language import in_english_utf8
from rmqops.system.places import cache_directory

_FORMAT: Final = b"1"
_KEPT: Final = 50
_SECRETS: Final = re.compile(r".*/(?:become_pass|password|private_key|private_key_passphrase)")
_NOISE: Final = ("ANSIBLE_DEBUG", "ANSIBLE_FORCE_COLOR", "ANSIBLE_VERBOSITY")
"""What would stand among the answer."""
_OWN: Final = ("ANSIBLE_", "_ANSIBLE_")


@dataclass(frozen=True)
class Setting:
    """A value that is not Ansible's own default."""

    name: str
    """As ``ansible-config`` has it (``DEFAULT_REMOTE_USER``), or ``connection/ssh/ssh_args`` of a plug-in."""
    value: Value = field(repr=False)
    origin: str
    """A file's path, or ``the environment: ANSIBLE_SSH_ARGS``."""

    @property
    def variable(self) -> str | None:
        """The environment variable that it comes from; None when it is a file."""
        _, found, name = self.origin.partition(": ")
        return name if found else None


Settings = Mapping[str, Setting]


def asked() -> Settings:
    """Return what is set, by name; empty where there is nothing to read.

    Raises:
        InventoryError: Ansible cannot read its settings.
        ToolMissing: there is no ``ansible-config``.
        PreflightFailed: this machine has no locale in UTF-8.
    """
    sources = list(_sources())
    if not any(sources):
        return {}
    digest = hashlib.sha256(_FORMAT)
    for part in (_release(), str(Path.home()).encode(), *_place(), *sources):
        digest.update(b"%d:" % len(part) + part)
    return _answer(digest.hexdigest())


def _release() -> bytes:
    """Return what says which ansible-core this is; ``importlib.metadata`` takes 50 ms to load."""
    found = importlib.util.find_spec("ansible")
    return Path(found.origin).with_name("release.py").read_bytes() if found and found.origin else b""


def _sources() -> Iterator[bytes]:
    """Yield all that an answer may come from; empty for a file that is not there."""
    own = sorted((name, value) for name, value in os.environ.items() if name.startswith(_OWN))
    yield b"\0".join(os.fsencode(f"{name}={value}") for name, value in own)
    for file in _candidates():
        try:
            content = file.read_bytes()
        except OSError:
            yield b""
            continue
        named = sorted({*re.findall(rb"\$\{?(\w+)", content)})
        values = (os.fsencode(os.environ.get(os.fsdecode(name), "")) for name in named)
        yield b"\0".join((os.fsencode(file), content, *values))


def _candidates() -> Iterator[Path]:
    if named := os.environ.get("ANSIBLE_CONFIG"):
        place = Path(os.path.expandvars(named)).expanduser()
        yield place / "ansible.cfg" if place.is_dir() else place
    with suppress(OSError):
        yield Path.cwd() / "ansible.cfg"
    yield Path.home() / ".ansible.cfg"
    yield Path("/etc/ansible/ansible.cfg")


def _place() -> Iterator[bytes]:
    """Yield what relative paths begin at, and whether Ansible trusts the file there."""
    with suppress(OSError):
        yield os.fsencode(Path.cwd())
        yield b"%o" % Path.cwd().stat().st_mode


@lru_cache(maxsize=8)
def _answer(digest: str) -> Settings:
    kept = cache_directory() / "ansible" / f"settings-{digest}.json"
    with suppress(OSError, ValueError, TypeError, KeyError):
        return {item["name"]: Setting(**item) for item in json.loads(kept.read_text("utf-8"))}
    settings = {setting.name: setting for setting in _flat(_dump())}
    if not any(_SECRETS.fullmatch(name) for name in settings):
        _keep(kept, settings)
    return settings


def _keep(file: Path, settings: Settings) -> None:
    items = [{"name": item.name, "value": item.value, "origin": item.origin} for item in settings.values()]
    with suppress(OSError, OperationFailed):  # a cache that cannot be written is no reason to fail
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        old = sorted(file.parent.glob("settings-*.json"), key=lambda path: path.stat().st_mtime)
        for path in old[:-_KEPT]:
            path.unlink(missing_ok=True)
        write_whole(file, json.dumps(items), mode=0o600)


def _dump() -> list[object]:
    """Ask for all settings; where a plug-in of the operator's own cannot be read, for those that matter here.

    Raises:
        InventoryError: Ansible cannot read its settings.
    """
    with suppress(InventoryError):
        return _dumped("all")
    parts = (("base",), ("connection", "ssh"), ("become", "sudo"), ("shell", "sh"))
    return [entry for part in parts for entry in _of_type(part[0], _dumped(*part))]


def _of_type(kind: str, entries: list[object]) -> list[object]:
    """Return an answer about one type of plug-ins as it stands in one about all."""
    return entries if kind == "base" else [{f"{kind.upper()}_PLUGINS": entries}]


def _dumped(kind: str, *plugins: str) -> list[object]:
    program = Path(sys.executable).with_name("ansible-config")
    try:
        done = subprocess.run(
            [program, "dump", "--only-changed", "--format", "json", "--type", kind, *plugins],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env={name: value for name, value in in_english_utf8(os.environ).items() if name not in _NOISE},
            check=False,
        )
    except FileNotFoundError as error:
        raise ToolMissing(
            f"there is no {program}", remedy="install rmqops with its dependencies: pip install rmqops"
        ) from error
    with suppress(ValueError):
        if done.returncode == 0:
            return cast("list[object]", json.loads(done.stdout))
    file = next((str(path) for path in _candidates() if path.exists()), "the environment")
    said = complaint(done.stderr) or f"ansible-config ended with {done.returncode}"
    remedy = "Correct it, or name another by ANSIBLE_CONFIG"
    raise InventoryError([Problem(file, None, None, "", f"Ansible cannot read its settings: {said}", remedy)])


def _flat(document: list[object]) -> Iterator[Setting]:
    """Yield the settings of a dump: those of Ansible itself, then ``{"BECOME_PLUGINS": [{"sudo": [...]}]}``."""
    for entry in cast("list[dict[str, object]]", document):
        if "name" in entry:
            yield from _setting("", entry)
            continue
        for kind, plugins in entry.items():
            if kind.endswith("_PLUGINS"):
                for plugin in cast("list[dict[str, list[dict[str, object]]]]", plugins):
                    for name, options in plugin.items():
                        for option in options:
                            yield from _setting(f"{kind.removesuffix('_PLUGINS').lower()}/{name}/", option)


def _setting(prefix: str, entry: Mapping[str, object]) -> Iterator[Setting]:
    origin = str(entry["origin"])
    if str(entry["name"]) == "CONFIG_FILE" or entry["value"] is None:
        return
    if origin.startswith("env: "):
        origin = f"the environment: {origin.removeprefix('env: ')}"
    yield Setting(f"{prefix}{entry['name']}", cast("Value", entry["value"]), origin)
