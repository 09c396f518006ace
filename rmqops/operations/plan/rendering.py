"""Write every file of a cluster to a directory, for whoever installs by hand."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rmqops.errors import OperationFailed, UsageError
from rmqops.model.topology import Topology
from rmqops.operations.plan import trees
from rmqops.render.files import INSTRUCTIONS, File

MARK = ".rmqops-rendered"
_SCRATCH = ".rmqops-render-"


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
    """Write the files to a directory; one that an earlier call wrote is replaced whole.

    A directory that is there stays the same one, with its owner and mode: it may be a mount, the end of a link,
    or where somebody's shell is. So the files are written beside what it holds, and take its place at the end.

    Raises:
        UsageError: the directory holds something else, or nothing can be made there.
        OperationFailed: the files could not be written; what was there is there still.
    """
    try:
        directory = out.resolve()
        new = not directory.exists()
        if not new and (not directory.is_dir() or (_held(directory) and not (directory / MARK).exists())):
            raise UsageError(
                f"{out} exists and was not written by render", remedy="name another --out, or remove it"
            )
        directory.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=directory.parent if new else directory))
    except (OSError, RuntimeError) as error:  # a link that leads to itself is the latter, before Python 3.13
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{out} cannot be written: {reason}", remedy="name another --out") from error
    try:
        fresh = scratch if new else scratch / "new"
        _fill(fresh, topology, instances)
        if new:
            scratch.replace(directory)
        else:
            _exchange(directory, fresh, scratch / "old")
            for left in directory.glob(f"{_SCRATCH}*"):
                shutil.rmtree(left, ignore_errors=True)
    except OSError as error:
        raise OperationFailed(
            f"the files could not be written to {out}: {error.strerror}; it is as it was",
            detail=str(error.filename) if error.filename else None,
            remedy="make room there, or name another --out",
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _held(directory: Path) -> list[Path]:
    """Return what a directory holds, without what each new file system has and what calls that died have left."""
    entries = directory.iterdir()
    return [entry for entry in entries if entry.name != "lost+found" and not entry.name.startswith(_SCRATCH)]


def _exchange(directory: Path, fresh: Path, stale: Path) -> None:
    """Put new entries in the place of those that a directory holds, or leave it as it is.

    The mark goes in first and is never gone: after a death in the middle the next call finds it, and begins anew.
    """
    stale.mkdir()
    moved: list[tuple[Path, Path]] = []

    def move(source: Path, target: Path) -> None:
        source.rename(target)
        moved.append((source, target))

    try:
        if not (directory / MARK).exists():
            move(fresh / MARK, directory / MARK)
        for entry in _held(directory):
            if entry.name != MARK:
                move(entry, stale / entry.name)
        for entry in sorted(fresh.iterdir()):
            entry.rename(directory / MARK) if entry.name == MARK else move(entry, directory / entry.name)
    except BaseException:
        for source, target in reversed(moved):
            target.rename(source)
        raise


def _fill(directory: Path, topology: Topology, instances: Mapping[str, tuple[File, ...]]) -> None:
    directory.mkdir(exist_ok=True)
    (directory / MARK).write_text(f"{topology.cluster}\n", "utf-8")
    (directory / INSTRUCTIONS).write_text(trees.instructions(topology), "utf-8")
    for name, files in instances.items():
        for file in files:
            path = directory / name / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.content, "utf-8")
            path.chmod(0o755 if file.executable else 0o644)
    for path in (directory, *directory.rglob("*")):  # whatever the umask is: deploy has these modes, too
        if path.is_dir():
            path.chmod(0o755)
