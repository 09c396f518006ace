"""Machines: where instances of a cluster live, several of them on one, perhaps."""

from __future__ import annotations

from dataclasses import dataclass, field

from rmqops.model.topology import Instance, Topology


@dataclass(frozen=True)
class Machine:
    """What one login reaches, with all the instances there."""

    name: str
    """``ansible_host``, with the ssh port where several machines share an address."""
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
        return self.setting("ansible_become").lower() in {"true", "yes", "on", "1"}


def machines(topology: Topology) -> tuple[Machine, ...]:
    """Return the machines of a cluster, in the order of their first instances.

    All instances with a local connection are on one machine; one address with several ssh ports is several.
    """
    places: dict[tuple[str, str, str], list[Instance]] = {}
    for instance in topology.instances:
        port = str(instance.variables.get("ansible_port") or "22")
        local = instance.connection == "local"
        place = ("local", "", "") if local else (instance.connection, instance.host, port)
        places.setdefault(place, []).append(instance)
    return tuple(Machine(_name(place, items[0]), tuple(items)) for place, items in places.items())


def _name(place: tuple[str, str, str], first: Instance) -> str:
    if first.connection == "local":
        return "localhost"
    return first.host if place[2] in {"", "22"} else f"{first.host}:{place[2]}"
