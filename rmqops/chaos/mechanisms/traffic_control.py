"""What the faults of a slow network have in common: a class of our own for the packets to the peers. PURE.

The class stands under an ``htb`` at the root of the device by which the peers are reached; its handle is made
from the fault's name, and its going takes all the rest with it. What goes elsewhere, and every answer of sshd,
passes by the class unchanged. Only what leaves the host is shaped; what the peers send arrives as ever.
"""

from __future__ import annotations

import hashlib

from rmqops.chaos.mechanisms import packet_filter
from rmqops.chaos.mechanisms.plan import Aim, Option
from rmqops.model.commands import Command, Script

VERIFY_SECONDS = 20
"""How long the effect may take; a group without load sends a heartbeat every 2 s."""
PEERS: Option = packet_filter.peers_option("group,namesrv")

# The devices that have our handle at their root.
OWNED = """
owned() { tc qdisc show | awk -v handle="$1:" '$2 == "htb" && $3 == handle && $6 == "root" { print $5 }'; }
"""

_ROUTE = """
route() { ip -4 -o route get "$1" 2> /dev/null; }
device() { route "$1" | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p'; }
"""

# $1 the leaf's kind, $2 … peers. A device that nobody has configured has a root with the handle 0:. What the
# kernel can is tried on the loopback device of a network namespace that is gone with its command.
_PROBE = (
    _ROUTE
    + """
[ "$(id -u)" = 0 ] || { echo "tc is for root" >&2; exit 1; }
for tool in tc ip unshare; do
  command -v "$tool" > /dev/null || { echo "there is no $tool" >&2; exit 1; }
done
leaf=$1
shift
[ $# -gt 0 ] || { echo "all others have the address of this host" >&2; exit 1; }
dev=
for peer; do
  case $(route "$peer") in local*) echo "$peer is an address of this host as well" >&2; exit 1 ;; esac
  via=$(device "$peer")
  [ -n "$via" ] || { echo "there is no route to $peer, as an IPv4 address" >&2; exit 1; }
  if [ "${dev:-$via}" != "$via" ]; then
    echo "the peers are reached by $dev and by $via; choose peers behind one device" >&2
    exit 1
  fi
  dev=$via
done
root=$(tc qdisc show dev "$dev" | awk '$4 == "root" || $6 == "root" { print $2, $3 }')
case $root in
  *' 0:') ;;
  *) echo "the device $dev has a queueing discipline of somebody else: $root" >&2; exit 1 ;;
esac
can() {
  answer=$(unshare -n sh -c "$2" 2>&1) && return
  case $answer in
    *'is unknown'* | *'not found'* | *'talking to the kernel'*) echo "unsupported: the kernel has no $1" >&2 ;;
    *) echo "tc cannot make an $1 here: $answer" >&2 ;;
  esac
  exit 1
}
can "$leaf" "tc qdisc add dev lo root $leaf limit 10000"
can htb "tc qdisc add dev lo root handle 1: htb"
can u32 "tc qdisc add dev lo root handle 1: htb; tc filter add dev lo parent 1: protocol ip prio 1 \\
  u32 match ip dst 192.0.2.1 flowid 1:1"
"""
)

# $1 handle, $2 port of sshd, $3 words of the class, $4 words of what stands below it, $5 … peers
_INJECT = (
    _ROUTE
    + """
handle=$1 ssh=$2 class=$3 leaf=$4
shift 4
dev=$(device "$1")
tc qdisc add dev "$dev" root handle "$handle:" htb default 0 || exit 1
tc class add dev "$dev" parent "$handle:" classid "$handle:1" htb $class || exit 1
tc qdisc add dev "$dev" parent "$handle:1" $leaf || exit 1
tc filter add dev "$dev" parent "$handle:" protocol ip prio 1 \\
  u32 match ip protocol 6 0xff match ip sport "$ssh" 0xffff flowid "$handle:0" || exit 1
for peer; do
  tc filter add dev "$dev" parent "$handle:" protocol ip prio 2 \\
    u32 match ip dst "$peer" flowid "$handle:1" || exit 1
done
"""
)

_HEAL = (
    OWNED
    + """
command -v tc > /dev/null || exit 0
for dev in $(owned "$1"); do tc qdisc del dev "$dev" root handle "$1:" htb || exit 1; done
"""
)

_HEALED = (
    OWNED
    + """
command -v tc > /dev/null || exit 0
[ -z "$(owned "$1")" ] || { echo "the class $1: is there still" >&2; exit 1; }
"""
)


def handle(aim: Aim) -> str:
    """Name the fault's queueing discipline: a number of up to 15 bits; the kernel gives out those above."""
    return f"{int(hashlib.sha256(aim.fault.encode()).hexdigest(), 16) % 0x7FFE + 2:x}"


def probe(aim: Aim, kind: str) -> Script:
    """Probe for tc, for a device that is nobody's, and that the kernel has a kind of queueing discipline."""
    return Script(_PROBE, (kind, *packet_filter.peers(aim)))


def inject(aim: Aim, class_: str, leaf: str) -> Command:
    """Return a Command that leads the packets to the peers through a class.

    Args:
        aim: Whose fault.
        class_: What follows ``htb`` in the class, such as ``rate 256kbit``.
        leaf: The queueing discipline below it, such as ``bfifo limit 131072``.
    """
    return Command.shell(
        _INJECT, handle(aim), packet_filter.ssh_port(aim), class_, leaf, *packet_filter.peers(aim)
    )


def heal(aim: Aim) -> Command:
    """Return a Command that takes the class away."""
    return Command.shell(_HEAL, handle(aim))


def healed(aim: Aim) -> Command:
    """Return a Command that exits 0 only when the class is gone."""
    return Command.shell(_HEALED, handle(aim))
