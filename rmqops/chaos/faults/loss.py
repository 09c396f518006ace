"""Some packets get lost, at random, as on a link that is overloaded or broken; TCP sends them again, later."""

from __future__ import annotations

from rmqops.chaos import packets
from rmqops.chaos.faults import Aim, Option, Plan
from rmqops.model.commands import Command

SUMMARY = "a share of the packets between the host and its peers is dropped; healed by taking the rules away"
OPTIONS = {
    "percent": Option(20, "how many of a hundred packets, in each direction", low=0.1, high=100),
    "peers": packets.peers_option("group,namesrv,clients"),
    "direction": packets.DIRECTION,
}


def requires(aim: Aim) -> Command:
    """Probe for iptables and for peers with addresses of their own."""
    return packets.probe(aim)


def plan(aim: Aim, _found: str) -> Plan:
    """Return the plan; a host without the kernel's module ``xt_statistic`` refuses the first rule."""
    share = aim.number("percent") / 100
    return packets.plan(aim, f"-m statistic --mode random --probability {share:.4f} -j DROP")
