"""What the host sends to its peers comes late, and if wanted out of order or twice, as over a long or bad way.

Only one direction is held up, so a question and its answer take the delay once. With ``jitter`` packets overtake
one another, too. It needs the kernel's module ``sch_netem``, which not every machine has; the probe says so.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import bounded_wait, packet_filter, traffic_control
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.errors import UsageError
from rmqops.model.commands import Command, Script

SUMMARY = "what the host sends to its peers arrives late; healed by taking the delay away"
OPTIONS = {
    "ms": Option(100, "by how many milliseconds", low=1, high=10_000),
    "jitter": Option(0, "how many milliseconds more or less, at random; no more than ms", low=0, high=10_000),
    "reorder": Option(0, "how many of a hundred packets are not delayed, and so overtake the others", high=99),
    "duplicate": Option(0, "how many of a hundred packets come twice", high=99),
    "peers": traffic_control.PEERS,
}

LOOKS = 10
"""For how many looks at all peers there is time, if none of them answers."""

# $1 handle, $2 milliseconds, $3 seconds for an answer, $4 … peers. One of them answers, and that late.
_VERIFY = (
    traffic_control.OWNED
    + """
handle=$1 late=$2 patience=$3
shift 3
[ -n "$(owned "$handle")" ] || { echo "the delay is not in force" >&2; exit 1; }
for peer; do
  ping -n -c 1 -W "$patience" "$peer" 2> /dev/null | sed -n 's/.*time=\\([0-9.]*\\).*/\\1/p' \\
    | awk -v late="$late" '$1 >= late { seen = 1 } END { exit !seen }' && exit
done
echo "no peer answers as late as $late ms, or none answers a ping" >&2
exit 1
"""
)


def requires(aim: Aim) -> Command:
    """Probe for tc, for a device that nobody has shaped, for netem, and for the ping that shows it.

    Raises:
        UsageError: there would be more jitter than delay.
    """
    _words(aim)
    ping = Script('command -v ping > /dev/null || { echo "there is no ping" >&2; exit 1; }')
    return traffic_control.probe(aim, "netem").then(ping).command()


def plan(aim: Aim, _probe_output: str) -> FaultPlan:
    """Return the plan."""
    late = (aim.number("ms") - aim.number("jitter")) * 0.9
    patience, peers = int(aim.number("ms") / 1000) + 2, packet_filter.peers(aim)
    look = patience * len(peers)
    return FaultPlan(
        inject=traffic_control.inject(aim, "rate 10gbit quantum 60000", _words(aim)),
        verify=bounded_wait.repeated(
            Script(_VERIFY, (traffic_control.handle(aim), f"{late:g}", str(patience), *peers)),
            seconds=LOOKS * look,
            work=look,
        ),
        heal=traffic_control.heal(aim),
        healed=traffic_control.healed(aim),
    )


def _words(aim: Aim) -> str:
    """Return the fault in the words of tc."""
    ms, jitter = aim.number("ms"), aim.number("jitter")
    if jitter > ms:
        raise UsageError(f"a delay of {ms:g} ms cannot vary by {jitter:g} ms", remedy="give a jitter up to ms")
    words = [f"netem limit 10000 delay {ms:g}ms", *([f"{jitter:g}ms"] if jitter else [])]
    words += [f"{name} {aim.number(name):g}%" for name in ("reorder", "duplicate") if aim.number(name)]
    return " ".join(words)
