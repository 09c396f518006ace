"""Machines: where instances of a cluster live, several of them on one, perhaps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rmqops.model.topology import Instance
from rmqops.transport import privilege


@dataclass(frozen=True)
class Machine:
    """What one login reaches, with all the instances there."""

    name: str
    """As :attr:`rmqops.model.topology.Instance.machine` tells them apart."""
    instances: tuple[Instance, ...] = field(compare=False)
    """The first one's transport reaches them all. None: the machine that rmqops runs on, as it asks the others."""

    @property
    def local(self) -> bool:
        """Whether it is the machine that rmqops runs on."""
        return not self.instances or self.instances[0].connection == "local"

    @property
    def brokers(self) -> tuple[Instance, ...]:
        """The brokers on it."""
        return tuple(item for item in self.instances if item.kind == "broker")

    def setting(self, key: str) -> str:
        """Return a variable of the connection, such as ``ansible_become``; empty when nobody set it."""
        value = self.instances[0].variables.get(key) if self.instances else None
        return "" if value is None else str(value)

    @property
    def become(self) -> bool:
        """Whether commands there run as another user than the one that logs in."""
        return bool(self.instances) and privilege.becomes(self.instances[0])


def machines(instances: Iterable[Instance]) -> tuple[Machine, ...]:
    """Return the machines of some instances, in the order of the first on each."""
    places: dict[str, list[Instance]] = {}
    for instance in instances:
        places.setdefault(instance.machine, []).append(instance)
    return tuple(Machine(name, tuple(items)) for name, items in places.items())
