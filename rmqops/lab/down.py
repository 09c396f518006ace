"""``lab down``: remove a lab, by its labels alone where the state is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rmqops.lab import engine, images, inventories, kernel, state
from rmqops.lab.engine import LABEL, Engine
from rmqops.lab.local_runner import LocalRunner
from rmqops.lab.state import LabDirectory
from rmqops.lab.up import AT_ONCE, INVENTORY_LABEL, KERNEL_LABEL, STATE_LABEL
from rmqops.system.parallel import each
from rmqops.system.progress import Say


@dataclass(frozen=True)
class DownResult:
    """What ``lab down`` has removed."""

    hosts: tuple[str, ...]
    network: str | None
    subnet: str | None
    inventories: tuple[Path, ...]
    kept: tuple[Path, ...]
    """Inventories at their places that are edited or somebody else's."""
    images: tuple[str, ...]
    keys: bool
    """Whether keys and the like were there."""

    @property
    def anything(self) -> bool:
        """Whether there was anything to remove."""
        return bool(self.hosts or self.network or self.inventories or self.images or self.keys)


def down(name: str, directory: Path, say: Say, *, image: bool = False) -> DownResult:
    """Remove the hosts, network, keys and inventories of a lab; what is not its own is not touched.

    Args:
        name: The lab.
        directory: Where an inventory of it is looked for, beside the places that are on record.
        say: Told of each step.
        image: Remove the image, too, which other labs share.

    Raises:
        ToolMissing, PreflightFailed: the engine cannot be asked.
        OperationFailed: something could not be removed.
    """
    kept = state.of(name)
    engine.find(LocalRunner())  # before a lock file is made
    with state.locked(name, f"lab down {name}", say) as held:
        containers = engine.find(LocalRunner(held))
        hosts = containers.hosts(name)
        if hosts:
            say(f"removing {len(hosts)} hosts")
        each([partial(_remove, containers, host.container) for host in hosts], AT_ONCE)
        network = engine.network(name)
        labels = containers.network_labels(network) or {}
        ours = labels.get(LABEL) == name
        subnet = containers.subnet(network) if ours else None
        if ours:
            containers.do("network", "rm", network)
            _put_back(containers, labels)
        known = labels if ours else {}
        fates = {
            path: inventories.remove(name, path)
            for path in _inventories(kept, known, inventories.place(name, directory))
        }
        labelled = LabDirectory(Path(known[STATE_LABEL])).remove() if STATE_LABEL in known else False
        keys = kept.remove() or labelled
        images.sweep()
        images_gone = images.remove_all(containers) if image else ()
        state.forget_lock(name)
    return DownResult(
        hosts=tuple(host.name for host in hosts),
        network=network if ours else None,
        subnet=subnet,
        inventories=tuple(path for path, fate in fates.items() if fate == "removed"),
        kept=tuple(path for path, fate in fates.items() if fate == "kept"),
        images=images_gone,
        keys=keys,
    )


def _remove(containers: Engine, container: str) -> None:
    # A host is thrown away: nothing in it is worth an orderly shutdown.
    containers.do("rm", "--force", "--volumes", *(("--time=0",) if containers.name == "podman" else ()), container)


def _put_back(containers: Engine, labels: Mapping[str, str]) -> None:
    """Set kernel settings back to what they were before the lab, where no other lab counts on them."""
    counted_on: set[str] = set()
    for other in containers.networks().values():
        counted_on |= set(kernel.unlabel(other.get(KERNEL_LABEL, "")))
    before = kernel.unlabel(labels.get(KERNEL_LABEL, ""))
    kernel.write({key: value for key, value in before.items() if key not in counted_on})


def _inventories(kept: LabDirectory, labels: Mapping[str, str], here: Path) -> list[Path]:
    record = kept.read()
    recorded = [Path(path) for path in (record.inventories if record else ())]
    labelled = [Path(labels[INVENTORY_LABEL])] if INVENTORY_LABEL in labels else []
    return list(dict.fromkeys([*recorded, *labelled, here]))
