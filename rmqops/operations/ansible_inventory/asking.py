"""Ask ``ansible-inventory`` what an inventory says.

Ansible is never imported: it is run as the ``ansible-inventory`` of the environment that rmqops is installed in,
where the operator stands, with the operator's ``ansible.cfg`` and environment.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from rmqops.errors import InventoryError, Problem, ToolMissing
from rmqops.model.inventory_places import YAML_SUFFIXES
from rmqops.operations.ansible_inventory.sources import InventoryFiles
from rmqops.system.language import in_english_utf8

SETTINGS: Final[Mapping[str, str]] = {
    "ANSIBLE_COMMAND_WARNINGS": "0",
    "ANSIBLE_DEBUG": "0",
    "ANSIBLE_DEPRECATION_WARNINGS": "0",
    "ANSIBLE_DEVEL_WARNING": "0",
    "ANSIBLE_DISPLAY_TRACEBACK": "never",
    "ANSIBLE_FORCE_COLOR": "0",
    "ANSIBLE_INVENTORY_EXPORT": "0",  # would leave out what groups say
    "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
    "ANSIBLE_LOCALHOST_WARNING": "0",
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_VERBOSITY": "0",
}
"""What would stand among the answer, or change its form."""

_BLOCK: Final = re.compile(r"^(?:\[(WARNING|ERROR|DEPRECATION WARNING)\]: |(ERROR)!?:? )", re.MULTILINE)
_PLUGIN: Final = re.compile(
    r"Failed to parse inventory with '([^']*)' plugin: (?:Failed to parse inventory: )?(.*)"
)
_UNPARSED: Final = re.compile(
    r"(?:Unable to parse|Completely failed to parse inventory source) (.+?)(?: as an inventory source)?$"
)
_SOURCE: Final = re.compile(
    r"^Origin: (?:<inventory plugin '[^']*' with source '(.*)'>|(.+?)(?::(\d+)(?::\d+)?)?)$", re.MULTILINE
)
_NO_PLUGIN: Final = ("no root 'plugin' key found", "Plugin configuration YAML file, not YAML inventory")
_FINE: Final = ("Invalid characters were found in group names", "Found both group and host with same name")
"""Warnings about names: RocketMQ's own (``broker-a``) have hyphens, and rules of ours look at them."""
_VAULT: Final = "Give the password: ANSIBLE_VAULT_PASSWORD_FILE, or vault_password_file in ansible.cfg"
_MEND: Final = "Mend it; ansible-inventory --list on the same inventory shows whether Ansible reads it"


@dataclass(frozen=True)
class Answer:
    """What Ansible says of an inventory."""

    listing: Mapping[str, object]
    """The answer of ``ansible-inventory --list``."""
    warnings: tuple[str, ...] = ()
    """What it warns of."""


class Reader(Protocol):
    """How an inventory is read: :func:`~rmqops.operations.ansible_inventory.answers.read`, or a test's own."""

    def __call__(self, files: InventoryFiles) -> Answer:
        """Return what Ansible says of an inventory; as :func:`ask`."""


def ask(files: InventoryFiles) -> Answer:
    """Ask Ansible what an inventory says.

    Raises:
        InventoryError: Ansible cannot read it, or a part of it; with Ansible's reasons.
        ToolMissing: there is no ``ansible-inventory``.
        PreflightFailed: this machine has no locale in UTF-8.
    """
    program = Path(sys.executable).with_name("ansible-inventory")
    argv = [str(program), *(f"--inventory={source}" for source in files.sources), "--list"]
    environment = {**in_english_utf8(os.environ), **SETTINGS}
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False)
    except FileNotFoundError as error:
        remedy = "install rmqops with its dependencies: pip install rmqops"
        raise ToolMissing(f"there is no {program}", remedy=remedy) from error
    said = _Said(done.stderr.decode("utf-8", "replace"))
    failed = [source for source in said.unparsed if not _is_empty_directory(source, files)]
    if done.returncode != 0 or failed:
        raise InventoryError([*_told(said, failed, files), *files.places.unreadable])
    try:
        listing = json.loads(done.stdout)
    except (ValueError, RecursionError) as error:
        what = f"ansible-inventory answers with what is not JSON: {str(error)[:200]}"
        raise InventoryError([Problem(files.sources[0], None, None, "", what, _MEND)]) from error
    return Answer(listing, tuple(said.warnings))


def _is_empty_directory(source: str, files: InventoryFiles) -> bool:
    """Tell whether a source is a directory that holds variables for the hosts of others, and no hosts itself."""
    return Path(source).is_dir() and len(files.sources) > 1


class _Said:
    """What Ansible wrote to standard error."""

    def __init__(self, text: str) -> None:
        self.warnings: list[str] = []
        self.errors: list[tuple[str, str]] = []
        """The first line of each, and the whole."""
        self.unparsed: list[str] = []
        self.reasons: dict[str, list[tuple[str, str, str]]] = {}
        """By source: plug-in, reason, and the place that the reason names."""
        starts = [*_BLOCK.finditer(text)]
        ends = [*(match.start() for match in starts), len(text)][1:]
        for start, end in zip(starts, ends, strict=True):
            self._block(start[1] or start[2], text[start.end() : end].strip())

    def _block(self, kind: str, text: str) -> None:
        first = text.split("\n", 1)[0].strip()
        unparsed, plugin = _UNPARSED.match(first), _PLUGIN.match(first)
        if unparsed:
            self.unparsed.append(unparsed[1])
        elif plugin:
            source = _SOURCE.search(text)
            path, line = (source[1] or source[2], source[3]) if source else ("", None)
            reason = (plugin[1], plugin[2], f"{path}:{line}" if line else path)
            self.reasons.setdefault(path, []).append(reason)
        elif kind == "ERROR":
            self.errors.append((first, text))
        elif kind == "WARNING" and not first.startswith(_FINE):
            self.warnings.append(first)


def _told(said: _Said, failed: Sequence[str], files: InventoryFiles) -> Iterator[Problem]:
    """Yield why Ansible could not read an inventory: of each file the reason of the plug-in that it was for."""
    for source in dict.fromkeys(failed):
        place, reason = _reason(source, said)
        yield Problem(place, None, None, "", f"cannot be read by Ansible: {reason}", _MEND)
    for first, whole in said.errors:
        origin = _SOURCE.search(whole)
        place = origin[2] if origin and origin[2] else ", ".join(files.sources)
        place += f":{origin[3]}" if origin and origin[3] else ""
        remedy = _VAULT if "vault" in first.lower() or "decrypt" in first.lower() else _MEND
        yield Problem(place, None, None, "", f"cannot be read by Ansible: {first}", remedy)
    if not failed and not said.errors:
        yield Problem(
            ", ".join(files.sources), None, None, "", "cannot be read by Ansible, which gives no reason", _MEND
        )


def _reason(source: str, said: _Said) -> tuple[str, str]:
    """Return place and reason of the plug-in that a file was meant for."""
    reasons = said.reasons.get(source, [])
    if not reasons:
        if Path(source).is_dir():
            return source, "holds no inventory file"
        return source, "no inventory plug-in takes it" if Path(source).exists() else "it is not there"
    meant = [item for item in reasons if not item[1].startswith(_NO_PLUGIN) and _NO_PLUGIN[0] not in item[1]]
    if PurePosixPath(source).suffix in YAML_SUFFIXES:
        meant = [item for item in meant if item[0] != "ini"] or meant
    _, reason, place = (meant or reasons)[0]
    return place or source, reason
