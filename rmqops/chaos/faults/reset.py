"""Connections are reset, as by a firewall that has lost its state: every TCP segment is answered with RST."""

from __future__ import annotations

from rmqops.chaos.mechanisms import packet_filter
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan
from rmqops.model.commands import Command

SUMMARY = "TCP connections between the host and its peers are reset; healed by taking the rules away"
OPTIONS = {"peers": packet_filter.peers_option("clients"), "direction": packet_filter.DIRECTION}


def requires(aim: Aim) -> Command:
    """Probe for iptables and for peers with addresses of their own."""
    return packet_filter.probe(aim)


def plan(aim: Aim, _probe_output: str) -> FaultPlan:
    """Return the plan."""
    return packet_filter.plan(aim, "-p tcp -j REJECT --reject-with tcp-reset")
