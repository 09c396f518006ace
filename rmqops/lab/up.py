"""``lab up``: bring a lab to what is wanted; what is there already stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from rmqops.errors import OperationFailed, Unsafe, UsageError
from rmqops.lab import addresses, engine, images, inventories, kernel, layout, login, state
from rmqops.lab.engine import LABEL, Creation, Engine, Host
from rmqops.lab.layout import Access, LabRequest
from rmqops.lab.machine import Machine
from rmqops.lab.state import Record, State
from rmqops.system.parallel import each

Say = Callable[[str], None]

INVENTORY_LABEL: Final = f"{LABEL}.inventory"
KERNEL_LABEL: Final = f"{LABEL}.kernel"
STATE_LABEL: Final = f"{LABEL}.state"
AT_ONCE: Final = 4
"""Containers started together: more only wait for the engine's own lock."""
LOGIN_SECONDS: Final = 180.0
"""Until the last host answers a login; boots are slow when forty start on two cores."""


@dataclass(frozen=True)
class Up:
    """What ``lab up`` found and did."""

    wanted: LabRequest
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


def up(wanted: LabRequest, directory: Path, say: Say) -> Up:
    """Bring a lab up.

    Args:
        wanted: What it is to be.
        directory: Where ``inventory/NAME/hosts.yml`` is written.
        say: Told of each step.

    Raises:
        UsageError: the hosts do not bear what is wanted, or a lab of more hosts is up.
        Unsafe: a container or network of that name is somebody else's.
        ToolMissing, PreflightFailed: the machine cannot run a lab.
        OperationFailed: a host did not come up.
    """
    layout.check(wanted)
    kept = state.of(wanted.name)
    engine.find(Machine())  # before anything is written
    with state.locked(wanted.name, f"lab up {wanted.name}", say) as held:
        found = engine.find(Machine(held))
        present = found.hosts(wanted.name)
        _refuse(wanted, kept, present)
        inventory = inventories.place(wanted.name, directory)
        record = kept.read()
        written = tuple(path for path in (record.inventories if record else ()) if path != str(inventory))
        kept.write(Record(wanted, (*written, str(inventory))))
        image = images.ensure(found, say)
        subnet = _network(found, wanted, kept, inventory)
        access = kept.access(addresses.addresses(subnet, wanted))
        state.make_keys(kept, wanted, access.addresses)
        there = {host.name for host in present}
        missing = [name for name in wanted.names if name not in there]
        stopped = [host for host in present if not host.running]
        if missing or stopped:
            _make_room(found.count() + len(missing), say)
            say(f"starting {len(missing) + len(stopped)} of {len(wanted.names)} hosts on {subnet}")
        creation = Creation(image, kept.seeds, engine.limits())
        create = partial(_create, found, wanted.name, creation)
        made = [partial(create, name, access.addresses[name]) for name in missing]
        each([*made, *(partial(_start, found, host) for host in stopped)], AT_ONCE)
        state_of_inventory = inventories.write(wanted.name, inventory, layout.inventory(wanted, access))
        say("waiting until every host answers a login")
        login.wait(access, wanted.names, LOGIN_SECONDS, found.last_words)
    return Up(
        wanted,
        access,
        tuple(missing),
        tuple(host.name for host in stopped),
        inventory,
        state_of_inventory,
        subnet,
    )


def _refuse(wanted: LabRequest, kept: State, present: Sequence[Host]) -> None:
    surplus = [host.name for host in present if host.name not in wanted.names]
    if surplus:
        bare = sum(host.name.startswith(f"{wanted.name}-c") for host in present)
        raise UsageError(
            f"lab {wanted.name} has {len(present)} hosts, and {', '.join(surplus)} would be too many",
            remedy=f"give --hosts {len(present) - bare}{f' --clients {bare}' if bare else ''} or more, "
            "or run rmqops lab down first",
        )
    record = kept.read()
    if present and record is None:
        raise OperationFailed(
            f"lab {wanted.name} has hosts, and its keys are gone from {kept.root}",
            remedy="run rmqops lab down, then up again",
        )
    for option in ("sudo_password", "kernel_settings"):
        if present and record and getattr(record.wanted, option) != getattr(wanted, option):
            raise UsageError(
                f"the hosts of lab {wanted.name} were made with the other setting of --{option.replace('_', '-')}",
                remedy="run rmqops lab down first",
            )


def _network(found: Engine, wanted: LabRequest, kept: State, inventory: Path) -> str:
    """Return the subnet of the lab's network, made first if it is missing."""
    name = engine.network(wanted.name)
    labels = found.network_labels(name)
    if labels is not None:
        if labels.get(LABEL) != wanted.name:
            raise Unsafe(f"there is a network {name} that is not this lab's", remedy="give the lab another --name")
        return found.subnet(name)
    argv = [f"--label={key}={value}" for key, value in _labels(found, wanted, kept, inventory).items()]
    table = Path("/proc/net/route").read_text("ascii")
    said = ""
    for candidate in addresses.free(addresses.routed(table)):
        done = found.ask("network", "create", f"--subnet={candidate}", *argv, name)
        if done.ok:
            return str(candidate)
        said = done.stderr.strip()
    raise OperationFailed(
        "no subnet is free for the lab", remedy="run rmqops lab down for labs that are not needed", detail=said
    )


def _labels(found: Engine, wanted: LabRequest, kept: State, inventory: Path) -> dict[str, str]:
    """Return all that ``lab down`` must know when the state is gone."""
    keys = (kernel.INOTIFY, *(kernel.TUNED if wanted.kernel_settings else ()))
    others = [kernel.unlabel(labels.get(KERNEL_LABEL, "")) for labels in found.networks().values()]
    before = kernel.originals(kernel.read(keys), others)
    return {
        LABEL: wanted.name,
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


def _start(found: Engine, host: Host) -> None:
    found.do("start", host.container)


def _create(found: Engine, lab: str, creation: Creation, host: str, address: str) -> None:
    done = found.ask(*found.create(lab, host, address, creation))
    if not done.ok:
        raise OperationFailed(
            f"{host} could not be started",
            detail=done.stderr.strip()[-2000:],
            remedy="mend what it says and run rmqops lab up again; it makes what is missing",
        )
