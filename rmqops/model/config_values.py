"""The values of RocketMQ's configuration that a host would run with: what the inventory says, else the default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from rmqops.model.ansible import is_whole
from rmqops.model.cluster import InventoryHost, Reference
from rmqops.model.config_checks import Condition, KeyCheck
from rmqops.model.config_keys import ConfigKey
from rmqops.model.topology import Value

VARIABLE = "rocketmq_config"


@dataclass(frozen=True)
class ConfigValues:
    """One host's configuration."""

    host: InventoryHost
    reference: Reference

    @cached_property
    def keys(self) -> Mapping[str, ConfigKey]:
        """The keys that its program has in its release; none where the release is not known."""
        return self.reference.config_keys.get(self.host.text("rocketmq_version"), {}).get(self.host.kind, {})

    @cached_property
    def written(self) -> Mapping[str, Value]:
        """What ``rocketmq_config`` says, known or not."""
        config = self.host.values.get(VARIABLE)
        return config if isinstance(config, dict) else {}

    @cached_property
    def good(self) -> Mapping[str, Value]:
        """What ``rocketmq_config`` says of keys that there are, with values of the right type."""
        keys = self.keys
        return {
            name: value for name, value in self.written.items() if name in keys and keys[name].fault(value) is None
        }

    def check(self, name: str) -> KeyCheck | None:
        """Return how a key is checked."""
        return self.reference.config_checks.of(self.host.text("rocketmq_version"), self.host.kind, name)

    def text(self, name: str) -> str | None:
        """Return the value in force of a key or an inventory variable as text; None when it is not known."""
        if name.startswith("rocketmq_"):
            value = self.host.values.get(name)
        elif name in self.good:
            value = self.good[name]
        else:
            value = self.keys[name].default if name in self.keys else None
        if value is None or isinstance(value, list | dict):
            return None
        return str(value).lower() if isinstance(value, bool) else str(value)

    def number(self, name: str) -> int | None:
        """Return the value in force of a key as a number; None when it is not known."""
        text = self.text(name)
        return int(text) if text is not None and is_whole(text) else None

    def holds(self, condition: Condition) -> bool:
        """Tell whether every name of a condition has one of its values."""
        return all(self.text(name) in values for name, values in condition.items())
