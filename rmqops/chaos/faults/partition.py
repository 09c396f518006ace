"""The host is cut off: packets from and to some others are dropped, and no socket is closed, so nobody is told.

By default from the other members of its group and from the NameServers, while clients still reach it. One-way
partitions drop what comes in, or what goes out, alone.
"""

from __future__ import annotations

from rmqops.chaos import packets
from rmqops.chaos.faults import Aim, Plan
from rmqops.model.commands import Command

SUMMARY = "packets between the host and its peers are dropped; healed by taking the rules away"
OPTIONS = {"peers": packets.peers_option("group,namesrv"), "direction": packets.DIRECTION}


def requires(aim: Aim) -> Command:
    """Probe for iptables and for peers with addresses of their own."""
    return packets.probe(aim)


def plan(aim: Aim, _found: str) -> Plan:
    """Return the plan."""
    return packets.plan(aim, "-j DROP")
