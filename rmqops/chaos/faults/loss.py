"""Some packets get lost, at random, as on a link that is overloaded or broken; TCP sends them again, later."""

from __future__ import annotations

from rmqops.chaos.mechanisms import packet_filter
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.model.commands import Command

SUMMARY = "a share of the packets between the host and its peers is dropped; healed by taking the rules away"
OPTIONS = {
    "percent": Option(20, "how many of a hundred packets, in each direction", low=0.1, high=100),
    "peers": packet_filter.peers_option("group,namesrv,clients"),
    "direction": packet_filter.DIRECTION,
}


def requires(aim: Aim) -> Command:
    """Probe for iptables and for peers with addresses of their own."""
    return packet_filter.probe(aim)


def plan(aim: Aim, _probe_output: str) -> FaultPlan:
    """Return the plan; a host without the kernel's module ``xt_statistic`` refuses the first rule."""
    share = aim.number("percent") / 100
    return packet_filter.plan(aim, f"-m statistic --mode random --probability {share:.4f} -j DROP")
