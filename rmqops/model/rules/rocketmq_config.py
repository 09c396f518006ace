"""Keys in `rocketmq_config` are keys of that release, with values that it takes, and are not rmqops' own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from rmqops.errors import Problem
from rmqops.model.cluster import Cluster, InventoryHost
from rmqops.model.config_keys import ConfigKey
from rmqops.model.nearest import suggestion
from rmqops.model.topology import Kind

_VARIABLE: Final = "rocketmq_config"
OWN: Final[Mapping[Kind, Mapping[str, str]]] = {
    "broker": {
        "autoCreateTopicEnable": "Set rocketmq_auto_create_topic",
        "brokerClusterName": "Set rocketmq_cluster",
        "brokerIP1": "Set rocketmq_address",
        "brokerIP2": "Set rocketmq_replication_address",
        "brokerId": "Set rocketmq_broker_id",
        "brokerName": "Name the child group of brokers so",
        "brokerRole": "Set rocketmq_mode and rocketmq_broker_role",
        "dLegerGroup": "Name the child group of brokers so",
        "dLegerPeers": "Set rocketmq_address and rocketmq_dledger_port of the members",
        "dLegerSelfId": "Set rocketmq_dledger_id",
        "enableDLegerCommitLog": "Set rocketmq_mode",
        "haListenPort": "Set rocketmq_listen_port: RocketMQ takes that port + 1",
        "listenPort": "Set rocketmq_listen_port",
        "namesrvAddr": "List the NameServers in the group namesrv",
        "rocketmqHome": "Set rocketmq_instance_dir",
        "storePathCommitLog": "Set rocketmq_data_dir",
        "storePathRootDir": "Set rocketmq_data_dir",
    },
    "namesrv": {
        "configStorePath": "Remove it: RocketMQ takes the file that it was started with",
        "listenPort": "Set rocketmq_listen_port",
        "rocketmqHome": "Set rocketmq_instance_dir",
    },
}
"""What the templates write, or the programs overwrite."""
_PROGRAM: Final[Mapping[Kind, str]] = {"broker": "broker", "namesrv": "NameServer"}
_GROUP: Final[Mapping[Kind, str]] = {"broker": "brokers", "namesrv": "namesrv"}


def check(cluster: Cluster) -> Iterator[Problem]:
    """Yield keys that RocketMQ would ignore in silence, and values that it would swallow."""
    for host in cluster.members:
        programs = cluster.reference.config_keys.get(host.text("rocketmq_version"))
        config = host.values.get(_VARIABLE)
        if programs is None or not isinstance(config, dict):
            continue
        for name, value in config.items():
            key = programs[host.kind].get(name)
            if name in OWN[host.kind]:
                yield _problem(host, name, "is written by rmqops", f"{OWN[host.kind][name]} instead")
            elif key is None:
                yield _unknown(host, name, programs)
            elif (remedy := key.fault(value)) is not None:
                what = f"is no value for RocketMQ's {name}, of type {key.type}: it would be dropped in silence"
                yield _problem(host, name, what, _with_default(remedy, key))


def _unknown(host: InventoryHost, name: str, programs: Mapping[Kind, Mapping[str, ConfigKey]]) -> Problem:
    other: Kind = "namesrv" if host.kind == "broker" else "broker"
    version = host.text("rocketmq_version")
    what = f"is not a key of a {_PROGRAM[host.kind]} of RocketMQ {version}, and would be ignored in silence"
    if name in programs[other]:
        remedy = f"It is one of a {_PROGRAM[other]}: set it in the group {_GROUP[other]}"
    else:
        remedy = (
            suggestion(name, programs[host.kind]) or "Remove it; docs/inventory.md says where the keys are listed"
        )
    return _problem(host, name, what, remedy)


def _with_default(remedy: str, key: ConfigKey) -> str:
    return f"{remedy}; the default is {key.default}" if key.default else remedy


def _problem(host: InventoryHost, name: str, message: str, remedy: str) -> Problem:
    config = host.values[_VARIABLE]
    value = config.get(name) if isinstance(config, dict) else None
    return host.problem(f"{_VARIABLE}.{name}", message, remedy, found=repr(value))
