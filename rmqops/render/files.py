"""From a topology to the files of every instance.

The templates are the only place where a file's content is decided; Ansible's role renders the same ones. Both
use Jinja with strict undefined names, block ends trimmed and core filters, so both give the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from rmqops.errors import OperationFailed
from rmqops.model.topology import Instance, Topology
from rmqops.model.variables import HostVariables, Unresolvable

SUFFIX = ".j2"
INSTRUCTIONS = "INSTALL.md"


@dataclass(frozen=True)
class File:
    """One rendered file of an instance's tree."""

    path: str
    """Relative to the tree."""
    content: str
    executable: bool


def instance_files(instance: Instance, templates: Mapping[str, str]) -> tuple[File, ...]:
    """Render the tree of an instance.

    Args:
        instance: The instance.
        templates: The text of each template by its path under ``templates/``, such as ``broker/conf/broker.p.j2``.

    Raises:
        OperationFailed: a template uses what the inventory does not have.
    """
    files = []
    for name, template in templates.items():
        owner, _, path = name.partition("/")
        if owner in {"common", instance.kind}:
            target = path.removesuffix(SUFFIX).replace("KIND", instance.kind)
            files.append(File(target, _render(instance, name, template), target.endswith(".sh")))
    return tuple(sorted(files, key=lambda file: file.path))


def instructions(topology: Topology, templates: Mapping[str, str]) -> str:
    """Render the page that says how to install the cluster by hand."""
    return _render(topology.nameservers[0], f"{INSTRUCTIONS}{SUFFIX}", templates[f"{INSTRUCTIONS}{SUFFIX}"])


def _render(instance: Instance, name: str, template: str) -> str:
    try:
        return cast("HostVariables", instance.variables).render(template)
    except Unresolvable as error:
        raise OperationFailed(f"templates/{name} for {instance.name}: {error}") from error


def fingerprints(files: Iterable[File]) -> dict[str, tuple[str, str]]:
    """Return mode, four octal digits, and SHA-256 of each file, by path."""
    return {
        file.path: ("0755" if file.executable else "0644", hashlib.sha256(file.content.encode()).hexdigest())
        for file in files
    }


def tree_name(contents: Mapping[str, tuple[str, str]]) -> str:
    """Return the name of a tree: 16 hex digits of the SHA-256 of its paths, modes and contents.

    The role's module ``rocketmq_tree`` computes the same on the host.
    """
    digest = hashlib.sha256()
    for path, (mode, content) in sorted(contents.items()):
        digest.update(f"{path} {mode} {content}\n".encode())
    return digest.hexdigest()[:16]
