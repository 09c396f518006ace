"""The way from the host to its peers is narrow: so many kbit a second, and a queue that overflows.

It imitates a link that is overloaded or shaped by somebody else. What the host sends to its peers is queued, and
beyond the queue dropped; what they send to it is not held up, and neither is what goes elsewhere.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import bounded_wait, packet_filter, traffic_control
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.model.commands import Command

SUMMARY = "what the host sends to its peers has to share few kbit/s; healed by taking the limit away"
OPTIONS = {
    "kbit": Option(256, "kbit a second, for all peers together", low=8, high=10_000_000),
    "peers": traffic_control.PEERS,
}
QUEUE_SECONDS = 0.5
"""How much the queue holds, in seconds of the rate; at least two of the largest packets, 128 KiB."""

# $1 handle, $2 a peer. Something has passed, and something had to wait; where there is a ping, a few
# of them are sent, for a slave without load has hardly anything to say.
_VERIFY = (
    traffic_control.OWNED
    + """
seen() {
  dev=$(owned "$1") && [ -n "$dev" ] || return 1
  tc -s class show dev "$dev" classid "$1:1" | awk '
    $1 == "Sent" { gsub(/[(),]/, " "); sent = $2; held = $7 + $9 }
    $1 == "backlog" { held += $2 }
    END { exit !(sent && held) }'
}
narrow() {
  seen "$1" && return
  ping -n -q -c 4 -l 4 -s 1400 -w 1 "$2" > /dev/null 2>&1
  return 1
}
wait_until narrow "$1" "$2" || { echo "no packet had to wait in $1:" >&2; exit 1; }
"""
)


def requires(aim: Aim) -> Command:
    """Probe for tc, for a device that nobody has shaped, and for what the kernel can."""
    return traffic_control.probe(aim, "bfifo").command()


def plan(aim: Aim, _probe_output: str) -> FaultPlan:
    """Return the plan."""
    kbit, peer = aim.number("kbit"), next(iter(packet_filter.peers(aim)), "")
    queue = max(kbit * 125 * QUEUE_SECONDS, 131_072)
    return FaultPlan(
        inject=traffic_control.inject(aim, f"rate {kbit:.0f}kbit quantum 60000", f"bfifo limit {queue:.0f}"),
        verify=bounded_wait.command(
            _VERIFY, traffic_control.handle(aim), peer, seconds=traffic_control.VERIFY_SECONDS
        ),
        heal=traffic_control.heal(aim),
        healed=traffic_control.healed(aim),
    )
