"""The host is cut off: packets from and to some others are dropped, and no socket is closed, so nobody is told.

By default from the other members of its group and from the NameServers, while clients still reach it. One-way
partitions drop what comes in, or what goes out, alone.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import packet_filter
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan
from rmqops.model.commands import Command

SUMMARY = "packets between the host and its peers are dropped; healed by taking the rules away"
OPTIONS = {"peers": packet_filter.peers_option("group,namesrv"), "direction": packet_filter.DIRECTION}


def requires(aim: Aim) -> Command:
    """Probe for iptables and for peers with addresses of their own."""
    return packet_filter.probe(aim)


def plan(aim: Aim, _probe_output: str) -> FaultPlan:
    """Return the plan."""
    return packet_filter.plan(aim, "-j DROP")
