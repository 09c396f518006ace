"""The faults of packets, run for real in a network namespace of their own that is gone with the test."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from rmqops.chaos import faults
from rmqops.chaos.mechanisms import packet_filter
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan
from rmqops.errors import UsageError
from tests.support.here import in_a_moment
from tests.support.instances import topology

PEER = "192.0.2.7"
LINK = """
ip link set lo up && ip link add near type veth peer name far && ip link set near up && ip link set far up \\
  && ip addr add 192.0.2.1/24 dev near && ip neigh add 192.0.2.7 lladdr 02:00:00:00:00:07 dev near || exit 99
iptables -w -A INPUT -s 203.0.113.1 -j ACCEPT || exit 99
send() { python3 -c 'import socket; s = socket.socket()
s.setblocking(False); s.connect_ex(("192.0.2.7", int("'"$1"'")))'; }
"""
"""A device to the peer, and a rule of somebody else."""


def aim(kind: str, **given: float | str) -> Aim:
    whole = topology()
    far, *others = whole.nameservers
    far = replace(far, variables={**far.variables, "rocketmq_address": PEER})
    whole = replace(whole, nameservers=(far, *others))
    return Aim(whole.brokers[0], whole, faults.options(kind, {"peers": "namesrv", **given}), fault="f-1")


def plan(kind: str, **given: float | str) -> FaultPlan:
    return faults.find(kind).plan(aim(kind, **given), "")


def netns(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script where there is a device to the peer, a rule of somebody else, and nothing more."""
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", LINK + script], capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode == 99 or done.stderr.startswith("unshare"):
        pytest.skip(f"there are no network namespaces with iptables here: {done.stderr}")
    return done


@pytest.mark.parametrize(
    ("kind", "given"), [("partition", {"direction": "out"}), ("loss", {"percent": 100}), ("reset", {})]
)
def test_packets_are_hit_and_the_rules_are_taken_away_twice(kind: str, given: dict[str, float | str]) -> None:
    made = plan(kind, **given)
    done = netns(f"""
before=$(iptables -w -S)
{faults.find(kind).requires(aim(kind))} || exit 1
{made.heal} && {made.healed} || exit 2
{made.inject} || exit 3
! {in_a_moment(made.verify)} 2> /dev/null || exit 4
! {faults.find(kind).requires(aim(kind))} 2> /dev/null || exit 5
send 9876
{made.verify} || exit 6
! {made.healed} 2> /dev/null || exit 7
{made.heal} && {made.healed} && {made.cure} || exit 8
[ "$before" = "$(iptables -w -S)" ] || exit 9
""")
    assert done.returncode == 0, done


def test_what_goes_to_sshd_is_not_hit() -> None:
    made = plan("partition")
    done = netns(f"""
{made.inject} || exit 1
send 22
{in_a_moment(made.verify)} && exit 2
send 9876
{made.verify} || exit 3
""")
    assert done.returncode == 0, done
    assert "no packet was hit" in done.stderr


def test_a_heal_takes_away_what_was_made_half() -> None:
    made, chain = plan("partition"), packet_filter.chain(aim("partition"))
    done = netns(f"""
before=$(iptables -w -S)
iptables -w -N {chain} && iptables -w -I INPUT -j {chain} || exit 1
! {made.healed} 2> /dev/null || exit 2
{made.cure} && [ "$before" = "$(iptables -w -S)" ] || exit 3
""")
    assert done.returncode == 0, done


def test_peers_are_named_by_what_they_are() -> None:
    whole = topology(groups=2)
    brokers = {f"192.0.2.{number}": broker for number, broker in enumerate(whole.brokers, 1)}
    groups = tuple(
        replace(
            group,
            members=tuple(
                replace(member, variables={**member.variables, "rocketmq_address": address})
                for address, member in brokers.items()
                if member in group.members
            ),
        )
        for group in whole.groups
    )
    whole = replace(whole, groups=groups)

    def peers(words: str) -> list[str]:
        options = faults.options("partition", {"peers": words})
        return packet_filter.peers(Aim(whole.brokers[0], whole, options, clients=("198.51.100.1",)))

    assert peers("group") == ["192.0.2.2", "192.0.2.3"]
    assert peers("brokers") == [f"192.0.2.{number}" for number in range(2, 7)]
    assert peers("namesrv, broker-b-0") == ["127.0.0.1", "192.0.2.4"]
    assert peers("clients,broker-a-0") == ["198.51.100.1"], "the victim itself is left out"
    with pytest.raises(UsageError, match="'strangers' are no peers"):
        peers("group,strangers")
