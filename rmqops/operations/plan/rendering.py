"""Write every file of a cluster to a directory, for whoever installs by hand."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rmqops.errors import UsageError
from rmqops.model.topology import Topology
from rmqops.operations.plan import trees
from rmqops.render.files import INSTRUCTIONS, File

MARK = ".rmqops-rendered"


def rendered(topology: Topology, host: str | None = None) -> dict[str, tuple[File, ...]]:
    """Render every instance, or one.

    Raises:
        UsageError: there is no instance of that name.
    """
    names = [instance.name for instance in topology.instances]
    if host is not None and host not in names:
        raise UsageError(f"{topology.inventory} has no instance {host}", remedy=f"it has {', '.join(names)}")
    return {name: trees.tree(topology.instance(name)) for name in ([host] if host else names)}


def write(topology: Topology, instances: Mapping[str, tuple[File, ...]], out: Path) -> None:
    """Write the files to a directory at once; one that an earlier call wrote is replaced whole.

    Raises:
        UsageError: the directory holds something else, or cannot be written.
    """
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / MARK).exists())):
        raise UsageError(f"{out} exists and was not written by render", remedy="name another --out, or remove it")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}", remedy="name another --out") from error
    try:
        _fill(scratch, topology, instances)
        if out.exists():
            shutil.rmtree(out)
        scratch.chmod(0o755)
        scratch.replace(out)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _fill(directory: Path, topology: Topology, instances: Mapping[str, tuple[File, ...]]) -> None:
    (directory / MARK).write_text(f"{topology.cluster}\n", "utf-8")
    (directory / INSTRUCTIONS).write_text(trees.instructions(topology), "utf-8")
    for name, files in instances.items():
        for file in files:
            path = directory / name / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.content, "utf-8")
            path.chmod(0o755 if file.executable else 0o644)
