"""Connections are reset, as by a firewall that has lost its state: every TCP segment is answered with RST."""

from __future__ import annotations

from rmqops.chaos import packets
from rmqops.chaos.faults import Aim, Plan
from rmqops.model.commands import Command

SUMMARY = "TCP connections between the host and its peers are reset; healed by taking the rules away"
OPTIONS = {"peers": packets.peers_option("clients"), "direction": packets.DIRECTION}


def requires(aim: Aim) -> Command:
    """Probe for iptables and for peers with addresses of their own."""
    return packets.probe(aim)


def plan(aim: Aim, _found: str) -> Plan:
    """Return the plan."""
    return packets.plan(aim, "-p tcp -j REJECT --reject-with tcp-reset")
