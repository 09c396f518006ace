"""``lab up``: bring a lab to what is asked for; what is there already stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from rmqops.errors import OperationFailed, Unsafe, UsageError
from rmqops.lab import addresses, engine, images, inventories, kernel, layout, login, state
from rmqops.lab.engine import LABEL, Engine, HostContainer, HostRecipe
from rmqops.lab.layout import Access, LabRequest
from rmqops.lab.local_runner import LocalRunner
from rmqops.lab.state import LabDirectory, LabRecord
from rmqops.system.parallel import each
from rmqops.system.progress import Say

INVENTORY_LABEL: Final = f"{LABEL}.inventory"
KERNEL_LABEL: Final = f"{LABEL}.kernel"
STATE_LABEL: Final = f"{LABEL}.state"
AT_ONCE: Final = 4
"""Containers started together: more only wait for the engine's own lock."""
LOGIN_SECONDS: Final = 180.0
"""Until the last host answers a login; boots are slow when forty start on two cores."""


@dataclass(frozen=True)
class UpResult:
    """What ``lab up`` found and did."""

    request: LabRequest
    access: Access
    created: tuple[str, ...]
    started: tuple[str, ...]
    """Hosts that were there and did not run."""
    inventory: Path
    inventory_state: str
    """``written``, ``same``, or ``kept`` when somebody has edited it."""
    subnet: str

    @property
    def changed(self) -> bool:
        """Whether there was anything to do."""
        return bool(self.created or self.started or self.inventory_state == "written")


def up(request: LabRequest, directory: Path, say: Say) -> UpResult:
    """Bring a lab up.

    Args:
        request: What it is to be.
        directory: Where ``inventory/NAME/hosts.yml`` is written.
        say: Told of each step.

    Raises:
        UsageError: the hosts do not bear what is asked for, or a lab of more hosts is up.
        Unsafe: a container or network of that name is somebody else's.
        ToolMissing, PreflightFailed: the machine cannot run a lab.
        OperationFailed: a host did not come up.
    """
    layout.check(request)
    kept = state.of(request.name)
    engine.find(LocalRunner())  # before anything is written
    with state.locked(request.name, f"lab up {request.name}", say) as held:
        containers = engine.find(LocalRunner(held))
        present = containers.hosts(request.name)
        _refuse(request, kept, present)
        inventory = inventories.place(request.name, directory)
        record = kept.read()
        written = tuple(path for path in (record.inventories if record else ()) if path != str(inventory))
        kept.write(LabRecord(request, (*written, str(inventory))))
        image = images.ensure(containers, say)
        subnet = _network(containers, request, kept, inventory)
        access = kept.access(addresses.addresses(subnet, request))
        state.make_keys(kept, request, access.addresses)
        there = {host.name for host in present}
        missing = [name for name in request.names if name not in there]
        stopped = [host for host in present if not host.running]
        if missing or stopped:
            _make_room(containers.count() + len(missing), say)
            say(f"starting {len(missing) + len(stopped)} of {len(request.names)} hosts on {subnet}")
        recipe = HostRecipe(image, kept.seeds, engine.limits())
        create = partial(_create, containers, request.name, recipe)
        made = [partial(create, name, access.addresses[name]) for name in missing]
        each([*made, *(partial(_start, containers, host) for host in stopped)], AT_ONCE)
        state_of_inventory = inventories.write(request.name, inventory, layout.inventory(request, access))
        say("waiting until every host answers a login")
        login.wait(access, request.names, LOGIN_SECONDS, containers.last_words)
    return UpResult(
        request,
        access,
        tuple(missing),
        tuple(host.name for host in stopped),
        inventory,
        state_of_inventory,
        subnet,
    )


def _refuse(request: LabRequest, kept: LabDirectory, present: Sequence[HostContainer]) -> None:
    surplus = [host.name for host in present if host.name not in request.names]
    if surplus:
        bare = sum(host.name.startswith(f"{request.name}-c") for host in present)
        raise UsageError(
            f"lab {request.name} has {len(present)} hosts, and {', '.join(surplus)} would be too many",
            remedy=f"give --hosts {len(present) - bare}{f' --clients {bare}' if bare else ''} or more, "
            "or run rmqops lab down first",
        )
    record = kept.read()
    if present and record is None:
        raise OperationFailed(
            f"lab {request.name} has hosts, and its keys are gone from {kept.root}",
            remedy="run rmqops lab down, then up again",
        )
    for option in ("sudo_password", "kernel_settings"):
        if present and record and getattr(record.request, option) != getattr(request, option):
            flag = f"--{option.replace('_', '-')}"
            raise UsageError(
                f"the hosts of lab {request.name} were made with the other setting of {flag}",
                remedy="run rmqops lab down first",
            )


def _network(containers: Engine, request: LabRequest, kept: LabDirectory, inventory: Path) -> str:
    """Return the subnet of the lab's network, made first if it is missing."""
    name = engine.network(request.name)
    labels = containers.network_labels(name)
    if labels is not None:
        if labels.get(LABEL) != request.name:
            raise Unsafe(f"there is a network {name} that is not this lab's", remedy="give the lab another --name")
        return containers.subnet(name)
    argv = [f"--label={key}={value}" for key, value in _labels(containers, request, kept, inventory).items()]
    table = Path("/proc/net/route").read_text("ascii")
    complaint = ""
    for candidate in addresses.free(addresses.routed(table)):
        done = containers.ask("network", "create", f"--subnet={candidate}", *argv, name)
        if done.ok:
            return str(candidate)
        complaint = done.stderr.strip()
    raise OperationFailed(
        "no subnet is free for the lab",
        remedy="run rmqops lab down for labs that are not needed",
        detail=complaint,
    )


def _labels(containers: Engine, request: LabRequest, kept: LabDirectory, inventory: Path) -> dict[str, str]:
    """Return all that ``lab down`` must know when the state is gone."""
    keys = (kernel.INOTIFY, *(kernel.TUNED if request.kernel_settings else ()))
    others = [kernel.unlabel(labels.get(KERNEL_LABEL, "")) for labels in containers.networks().values()]
    before = kernel.originals(kernel.read(keys), others)
    return {
        LABEL: request.name,
        INVENTORY_LABEL: str(inventory),
        STATE_LABEL: str(kept.root),
        KERNEL_LABEL: kernel.label(before),
    }


def _make_room(hosts: int, say: Say) -> None:
    """Raise what would keep the last hosts from booting."""
    needed = kernel.inotify_wanted(hosts)
    if int(kernel.read([kernel.INOTIFY])[kernel.INOTIFY]) < needed:
        say(f"raising {kernel.INOTIFY} to {needed} until lab down")
        kernel.write({kernel.INOTIFY: str(needed)})


def _start(containers: Engine, host: HostContainer) -> None:
    containers.do("start", host.container)


def _create(containers: Engine, lab: str, recipe: HostRecipe, host: str, address: str) -> None:
    done = containers.ask(*containers.create(lab, host, address, recipe))
    if not done.ok:
        raise OperationFailed(
            f"{host} could not be started",
            detail=done.stderr.strip()[-2000:],
            remedy="mend what it says and run rmqops lab up again; it makes what is missing",
        )
