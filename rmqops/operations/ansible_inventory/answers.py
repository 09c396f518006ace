"""Answers of ``ansible-inventory``, kept by the content of all that they may have come from.

The question takes a third of a second; ``rmqops status`` shall not wait for it each time. A kept answer is found
again when nothing that Ansible reads has changed: every file of the sources and every one in ``group_vars`` and
``host_vars`` beside them and in the working directory, through links, with its name and whether it is
executable; each ``ansible.cfg`` that Ansible would look for; ``ANSIBLE_*``; the releases of Ansible, Python and
PyYAML. Where an inventory lies is no part of that.

What may change although none of these does is asked every time: what a program or a plug-in says, and what a
plug-in or a cache that the settings name adds. What lay encrypted in a file is not put in clear on the disk.
"""

from __future__ import annotations

import configparser
import hashlib
import importlib.util
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

import yaml

from rmqops.errors import OperationFailed
from rmqops.model import yamltext
from rmqops.operations.ansible_inventory import asking
from rmqops.operations.ansible_inventory.asking import Answer
from rmqops.operations.ansible_inventory.sources import InventoryFiles, SourceFile, look
from rmqops.system.files import write_whole
from rmqops.system.places import cache_directory

KEPT: Final = 100
"""Answers; those that were used last stay."""

_FORMAT: Final = "1"
_ELSEWHERE: Final = re.compile(r"plugin|cach|collection|home|enable", re.IGNORECASE)
"""Names of settings, in a file or the environment, that make Ansible read more than the files of an inventory."""
_ONLY_FOR_PLAYS: Final = re.compile(
    r"(?:ansible_)?(?:(?:action|become|callback|cliconf|connection|doc_fragment|httpapi|netconf|shell|strategy|terminal)"
    r"_plugins?|callbacks_enabled|enable_task_debugger|any_errors_.*)",
    re.IGNORECASE,
)
_OWN: Final = ("ANSIBLE_", "_ANSIBLE_", "PYTHON")
_PLUGINS: Final = ("cache", "inventory", "vars")
_SHARED_PLUGINS: Final = "/usr/share/ansible/plugins"
_VAULT: Final = b"$ANSIBLE_VAULT"


def read(files: InventoryFiles) -> Answer:
    """Return what Ansible says of an inventory, from a kept answer if there is one; as :func:`asking.ask`."""
    key = _key(files)
    if key is None:
        return asking.ask(files)
    place = _directory() / f"{key}.json"
    answer = _kept(place)
    if answer is None:
        answer = asking.ask(files)
        if _key(look(files.sources)) == key and not _may_change(files):
            _keep(place, answer)
    return answer


def _directory() -> Path:
    return cache_directory() / "inventories"


def _key(files: InventoryFiles) -> str | None:
    """Return the name of all that an answer may come from; None where that cannot be known."""
    if not files.complete or any(file.content is None for file in files.all):
        return None
    digest = hashlib.sha256()
    for part in _parts(files):
        digest.update(b"%d:" % len(part) + part)
    return digest.hexdigest()


def _parts(files: InventoryFiles) -> Iterator[bytes]:
    yield f"{_FORMAT} {sys.version} {yaml.__version__} {os.geteuid()}".encode()
    yield _release()
    for source in files.sources:  # a directory is told by its files, which may be none
        path = Path(source)
        kind = "directory" if path.is_dir() else path.name if path.exists() else f"hosts {source}"
        yield os.fsencode(kind)
    for file in files.all:
        yield os.fsencode(f"{file.name} {file.executable}")
        yield hashlib.sha256(file.content or b"").digest()
    contents = [_content(path) for path in _settings_files()]
    yield from contents
    yield str(Path().stat().st_mode & 0o002).encode()  # of a directory of everybody's Ansible takes no settings
    own = {name: value for name, value in os.environ.items() if name.startswith(_OWN) or name == "HOME"}
    refers = any(b"$" in content for content in contents) or any("$" in value for value in own.values())
    for name, value in sorted((os.environ if refers else own).items()):
        yield os.fsencode(f"{name}={value}")


def _release() -> bytes:
    """Return what says which Ansible would answer."""
    found = importlib.util.find_spec("ansible")
    return _content(Path(found.origin).with_name("release.py")) if found and found.origin else b""


def _settings_files() -> Iterator[Path]:
    """Yield every place where Ansible looks for its settings, whichever it takes in the end."""
    chosen = os.environ.get("ANSIBLE_CONFIG", "")
    if chosen:
        path = Path(os.path.expandvars(chosen)).expanduser()
        yield path / "ansible.cfg" if path.is_dir() else path
    yield Path("ansible.cfg")
    yield Path.home() / ".ansible.cfg"
    yield Path("/etc/ansible/ansible.cfg")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        return f"{type(error).__name__}".encode()


def _may_change(files: InventoryFiles) -> bool:
    """Tell whether Ansible may say something else another time, or said what is encrypted in the files."""
    return (
        any(file.executable or _is_configuration(file) for file in files.hosts)
        or any((file.content or b"").lstrip().startswith(_VAULT) for file in files.all)
        or any(_reads_elsewhere(name) for name in _settings())
        or any(_has_plugins(Path(base, kind)) for base in _plugin_bases() for kind in _PLUGINS)
    )


def _is_configuration(file: SourceFile) -> bool:
    """Tell whether a file may be the configuration of a plug-in (``auto`` takes it by its suffix and its key)."""
    if PurePosixPath(file.name).suffix not in {".yml", ".yaml"}:
        return False
    document, _, is_yaml = yamltext.examine(file.path, (file.content or b"").decode("utf-8", "replace"))
    return not is_yaml or "plugin" in document.entries


def _settings() -> Iterator[str]:
    """Yield the names of all settings that a file or the environment changes."""
    yield from (name for name in os.environ if name.startswith("ANSIBLE_") and name not in asking.SETTINGS)
    for path in _settings_files():
        parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";",))
        try:
            parser.read_string(path.read_text("utf-8"))
        except OSError:
            continue
        except (ValueError, configparser.Error):
            yield "plugin"  # Ansible will say what is wrong with it; nothing is known of it here
            continue
        for section in parser.sections():
            yield from parser.options(section)


def _reads_elsewhere(name: str) -> bool:
    return bool(_ELSEWHERE.search(name)) and not _ONLY_FOR_PLAYS.fullmatch(name)


def _plugin_bases() -> tuple[Path, ...]:
    return Path.home() / ".ansible" / "plugins", Path(_SHARED_PLUGINS)


def _has_plugins(directory: Path) -> bool:
    try:
        return any(entry.suffix == ".py" or entry.is_dir() for entry in directory.iterdir())
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _kept(place: Path) -> Answer | None:
    """Return a kept answer; None where there is none that is ours alone and whole."""
    try:
        number = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(number, encoding="utf-8") as stream:
            status = os.fstat(number)
            if status.st_uid != os.geteuid() or status.st_mode & 0o077:
                return None
            document = json.load(stream)
        answer = Answer(document["listing"], tuple(document["warnings"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    with suppress(OSError):
        os.utime(place)
    return answer


def _keep(place: Path, answer: Answer) -> None:
    """Keep an answer, where that is possible: nothing depends on it but time."""
    document = {"listing": answer.listing, "warnings": answer.warnings}
    with suppress(OSError, OperationFailed):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(place, json.dumps(document), mode=0o600)
        old = sorted(place.parent.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in old[KEPT:]:
            path.unlink(missing_ok=True)
