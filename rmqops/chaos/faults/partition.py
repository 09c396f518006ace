"""The host is cut off from the other members of its group and from the NameServers; clients still reach it.

Packets from and to their addresses are dropped, in a chain of our own, so that no socket is closed and nobody is
told. The host's other rules stay as they are. It is for hosts of their own: instances that share an address cannot
be told apart by it.
"""

from __future__ import annotations

import hashlib

from rmqops.chaos.faults import Plan
from rmqops.model.commands import Command
from rmqops.model.topology import Instance

SUMMARY = "packets to and from its group's others and the NameServers are dropped; healed by taking the rules away"

VERIFY_SECONDS = 10
"""How long the first dropped packet may take; a group without load sends a heartbeat every 2 s."""

# $1 chain, $2 … addresses
_PROBE = """
command -v iptables > /dev/null || { echo "there is no iptables" >&2; exit 1; }
iptables -w -S INPUT > /dev/null || exit 1
! iptables -w -S "$1" > /dev/null 2>&1 || { echo "the chain $1 is there already" >&2; exit 1; }
shift
[ $# -gt 0 ] || { echo "all others have the address of this host" >&2; exit 1; }
for peer; do
  ! ip -o addr show | grep -Fqw "$peer" || { echo "$peer is an address of this host as well" >&2; exit 1; }
done
"""

_INJECT = """
chain=$1
shift
iptables -w -N "$chain" || exit 1
for peer; do
  iptables -w -A "$chain" -s "$peer" -j DROP && iptables -w -A "$chain" -d "$peer" -j DROP || exit 1
done
iptables -w -I INPUT -j "$chain" && iptables -w -I OUTPUT -j "$chain"
"""

_VERIFY = """
tries=0
until iptables -w -nvxL "$1" | awk 'NR > 2 { dropped += $1 } END { exit !dropped }'; do
  [ "$tries" -lt "$2" ] || { echo "no packet was dropped by $1" >&2; exit 1; }
  tries=$((tries + 1))
  sleep 0.05
done
"""

_HEAL = """
for hook in INPUT OUTPUT; do
  while iptables -w -C "$hook" -j "$1" 2> /dev/null; do iptables -w -D "$hook" -j "$1" || exit 1; done
done
iptables -w -S "$1" > /dev/null 2>&1 || exit 0
iptables -w -F "$1" && iptables -w -X "$1"
"""

_HEALED = """
rules=$(iptables -w -S) || exit 1
case $rules in *"$1"*) echo "the chain $1 is there still" >&2; exit 1 ;; esac
"""


def _chain(instance: Instance) -> str:
    """Name the chain; iptables takes 28 characters."""
    return f"RMQOPS-{hashlib.sha256(instance.home.encode()).hexdigest()[:16]}"


def _peers(instance: Instance) -> list[str]:
    """Return the addresses of those that the instance must be cut off from, its own left out."""
    members = [peer.split("-", 1)[1] for peer in instance.text("rocketmq_dledger_peers").split(";") if peer]
    servers = instance.text("rocketmq_nameservers").split(";")
    hosts = {address.rpartition(":")[0] for address in (*members, *servers)}
    return sorted(hosts - {instance.text("rocketmq_address")})


def requires(instance: Instance) -> Command:
    """Probe for iptables, for the right to use it, and that the others have addresses of their own."""
    return Command.shell(_PROBE, _chain(instance), *_peers(instance))


def plan(instance: Instance, _found: str) -> Plan:
    """Return the plan."""
    chain = _chain(instance)
    return Plan(
        inject=Command.shell(_INJECT, chain, *_peers(instance)),
        verify=Command.shell(_VERIFY, chain, str(VERIFY_SECONDS * 20), timeout=VERIFY_SECONDS * 3),
        heal=Command.shell(_HEAL, chain),
        healed=Command.shell(_HEALED, chain),
    )
