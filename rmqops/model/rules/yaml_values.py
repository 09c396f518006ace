"""A value arrives as it was written: without quotes YAML reads `010` as 8, `1:30` as 90, and `no` as false.

Ansible reads YAML 1.1 (PyYAML), where many a text without quotes is a number, a truth value or a date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rmqops.errors import Problem
from rmqops.model.cluster import Cluster, InventoryHost
from rmqops.model.config_values import VARIABLE, ConfigValues
from rmqops.model.topology import Value
from rmqops.model.yamltext import Opaque

_CONNECTION: Final = ("ansible_host", "ansible_user", "ansible_port")
_PLAIN: Final = re.compile(r"-?0*(0|[1-9][0-9]*)", re.ASCII)


def check(cluster: Cluster) -> Iterator[Problem]:
    """Yield values that YAML makes something else of than what stands in the file."""
    types = {name: setting.type for name, setting in cluster.reference.schema.settings.items()}
    for host in (*cluster.members, *cluster.clients):
        keys = ConfigValues(host, cluster.reference).keys
        for name, value in _values(host):
            origin = host.raw.origins.get(name)
            key = keys.get(name.removeprefix(f"{VARIABLE}."))
            switch = key.type == "boolean" if key else types.get(name) == "bool"
            if origin is None or origin.written is None or (switch and isinstance(value, bool)):
                continue
            if value is None or isinstance(value, Opaque):
                continue  # another rule says so
            read = str(value).lower() if isinstance(value, bool) else str(value)
            if not _same(origin.written, value, read):
                what = f"stands without quotes, and YAML reads {read} from it"
                remedy = f"Write {read} if you mean that, else put it in quotes: '{origin.written}'"
                yield host.problem(name, what, remedy, found=origin.written)


def _values(host: InventoryHost) -> Iterator[tuple[str, Value]]:
    """Yield every single value that rmqops has a use for, by the name of its place."""
    for name, value in host.raw.variables.items():
        if name == VARIABLE and isinstance(value, dict):
            yield from ((f"{VARIABLE}.{key}", item) for key, item in value.items())
        elif name.startswith("rocketmq_") or name in _CONNECTION:
            yield name, value


def _same(written: str, value: Value, read: str) -> bool:
    """Tell whether a value is what stands there; leading zeros are no matter where both readings are the same."""
    plain = _PLAIN.fullmatch(written)
    number = isinstance(value, int) and not isinstance(value, bool)
    return written == read or (number and plain is not None and len(written) < 20 and int(written) == value)
