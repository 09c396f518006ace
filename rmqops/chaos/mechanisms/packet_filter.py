"""What the faults of the network have in common: a chain of our own, and the addresses that it is about. PURE.

A host's other rules stay as they are: ours stand in a chain named after the fault, and one jump to it each from
INPUT and OUTPUT comes and goes with it. Packets are told apart by the address at the other end, so instances that
share an address cannot be cut off from one another. What goes to and from the host's sshd passes by: rmqops may
stand at one of those addresses, and must be able to see the fault and to heal it.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import bounded_wait
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.errors import UsageError
from rmqops.model import topology
from rmqops.model.commands import Command
from rmqops.operations.hosts import armed_heals

VERIFY_SECONDS = 10
"""How long the first packet may take; a group without load sends a heartbeat every 2 s."""

BOTH, IN, OUT = "both", "in", "out"
DIRECTION = Option(BOTH, "packets from the peers (in), to them (out), or both", words=(BOTH, IN, OUT))


def peers_option(default: str) -> Option:
    """Return the option that says who stands at the other end."""
    return Option(
        default,
        "who stands at the other end, with commas between: group (its other members), namesrv, brokers (all),"
        " clients (where the load runs), or names of instances",
    )


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

# $1 chain, $2 in, out or both, $3 what follows the address in a rule, $4 sshd's port, $5 … addresses
_INJECT = """
chain=$1 direction=$2 action=$3 ssh=$4
shift 4
iptables -w -N "$chain" || exit 1
iptables -w -A "$chain" -p tcp --dport "$ssh" -j RETURN || exit 1
iptables -w -A "$chain" -p tcp --sport "$ssh" -j RETURN || exit 1
for peer; do
  [ "$direction" = out ] || iptables -w -A "$chain" -s "$peer" $action || exit 1
  [ "$direction" = in ] || iptables -w -A "$chain" -d "$peer" $action || exit 1
done
[ "$direction" = out ] || iptables -w -I INPUT -j "$chain" || exit 1
[ "$direction" = in ] || iptables -w -I OUTPUT -j "$chain"
"""

_VERIFY = """
hit() { iptables -w -nvxL "$1" | awk 'NR > 2 && $3 != "RETURN" { hit += $1 } END { exit !hit }'; }
wait_until hit "$1" || { echo "no packet was hit by $1" >&2; exit 1; }
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


def chain(aim: Aim) -> str:
    """Name the fault's chain."""
    return armed_heals.chain(aim.fault)


def ssh_port(aim: Aim) -> str:
    """Return the port of the host's sshd, as the inventory has it."""
    return topology.ssh_port(aim.instance)


def peers(aim: Aim) -> list[str]:
    """Return the addresses at the other end, the victim's own left out.

    Raises:
        UsageError: a word means nobody.
    """
    victim, topology = aim.instance, aim.topology
    addresses: set[str] = set()
    for word in (part.strip() for part in aim.text("peers").split(",")):
        if word == "group":
            addresses |= {broker.ip for broker in topology.brokers if broker.group == victim.group}
        elif word == "namesrv":
            addresses |= {server.ip for server in topology.nameservers}
        elif word == "brokers":
            addresses |= {broker.ip for broker in topology.brokers}
        elif word == "clients":
            addresses |= set(aim.clients)
        elif word in (known := {instance.name: instance.ip for instance in topology.instances}):
            addresses.add(known[word])
        else:
            raise UsageError(
                f"{word!r} are no peers of a fault",
                remedy=f"use group, namesrv, brokers, clients, or names: {', '.join(known)}",
            )
    return sorted(addresses - {victim.ip})


def probe(aim: Aim) -> Command:
    """Probe for iptables, for the right to use it, and that the others have addresses of their own."""
    return Command.shell(_PROBE, chain(aim), *peers(aim))


def plan(aim: Aim, action: str) -> FaultPlan:
    """Return the plan that does one thing, such as ``-j DROP``, to the packets between a host and its peers."""
    name = chain(aim)
    return FaultPlan(
        inject=Command.shell(_INJECT, name, aim.text("direction"), action, ssh_port(aim), *peers(aim)),
        verify=bounded_wait.command(_VERIFY, name, seconds=VERIFY_SECONDS),
        heal=Command.shell(_HEAL, name),
        healed=Command.shell(_HEALED, name),
    )
