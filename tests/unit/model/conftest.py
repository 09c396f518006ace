"""A good inventory to break, and a way to load what was made of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import yaml

from rmqops.errors import InventoryError, Problem
from rmqops.model import validation
from rmqops.model.topology import Topology
from rmqops.operations import inventories
from tests.support import plain_inventory

FLEET = """
all:
  vars:
    rocketmq_cluster: test
    rocketmq_base_dir: /opt/rocketmq
  children:
    namesrv:
      hosts:
        ns1: {ansible_host: 10.0.0.1}
        ns2: {ansible_host: 10.0.0.2}
    brokers:
      children:
        alpha:
          hosts:
            a0: {ansible_host: 10.0.1.0, rocketmq_dledger_id: n0}
            a1: {ansible_host: 10.0.1.1, rocketmq_dledger_id: n1}
            a2: {ansible_host: 10.0.1.2, rocketmq_dledger_id: n2}
        pair:
          vars: {rocketmq_mode: master-slave}
          hosts:
            p0: {ansible_host: 10.0.2.0, rocketmq_broker_id: 0}
            p1: {ansible_host: 10.0.2.1, rocketmq_broker_id: 1}
        lone:
          vars: {rocketmq_mode: single}
          hosts:
            l0: {ansible_host: 10.0.3.0}
"""
"""Machines of their own, each mode once."""

LAPTOP = """
all:
  vars:
    ansible_connection: local
    ansible_host: 127.0.0.1
    rocketmq_cluster: test
    rocketmq_base_dir: /srv/rmq
    rocketmq_supervisor: detached
    rocketmq_heap: 128m
    rocketmq_direct_memory: 128m
  children:
    namesrv:
      hosts:
        ns1: {rocketmq_listen_port: 9876}
    brokers:
      children:
        alpha:
          hosts:
            a0: {rocketmq_dledger_id: n0, rocketmq_listen_port: 10910, rocketmq_dledger_port: 40910}
            a1: {rocketmq_dledger_id: n1, rocketmq_listen_port: 10920, rocketmq_dledger_port: 40920}
            a2: {rocketmq_dledger_id: n2, rocketmq_listen_port: 10930, rocketmq_dledger_port: 40930}
"""
"""One machine."""

BASES = {"fleet": FLEET, "laptop": LAPTOP}
_DOCUMENTS = {name: yaml.safe_load(text) for name, text in BASES.items()}
REMOVED = object()


def load(
    text: str | Mapping[str, str],
    environment: Mapping[str, str] | None = None,
    memory: Mapping[str, int] | None = None,
) -> tuple[Topology, tuple[Problem, ...]]:
    """Load an inventory of one file, or of several by path."""
    files = {"hosts.yml": text} if isinstance(text, str) else text
    raw = plain_inventory.parsed(files)
    return validation.load(raw, inventories.reference(), environment or {}, machine_memory=memory)


def problems(text: str | Mapping[str, str], **options: Any) -> tuple[Problem, ...]:
    """Return everything that is said about an inventory, good or not."""
    try:
        return load(text, **options)[1]
    except InventoryError as error:
        return error.problems


def edited(base: str, edits: Mapping[str, Any]) -> str:
    """Return one of the inventories with values set by dotted path below `all`, as the YAML that JSON is.

    Hosts and groups are found by their name.
    """
    document = copy.deepcopy(_DOCUMENTS[base])
    for path, value in edits.items():
        *parents, last = path.split(".")
        place = document["all"]
        for part in parents:
            place = _find(place, part)
        if value is REMOVED:
            del place[last]
        else:
            place[last] = value
    return json.dumps(document, indent=1)


def _find(place: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a child by name: one right there, a child group, or a host or group further below."""
    if name in place:
        if place[name] is None:
            place[name] = {}
        found: dict[str, Any] = place[name]
        return found
    for section in ("hosts", "children"):
        if name in (place.get(section) or {}):
            return _find(place[section], name)
    for child in (place.get("children") or {}).values():
        try:
            return _find(child, name)
        except KeyError:
            continue
    raise KeyError(name)
