"""The faults of a slow network, run for real in a network namespace of their own that is gone with the test."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.chaos import faults
from rmqops.chaos.mechanisms import traffic_control
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan
from rmqops.errors import UsageError
from rmqops.model.commands import Command
from tests.support.here import in_a_moment
from tests.support.instances import topology

PEER = "192.0.2.7"
LINK = """
ip link set lo up && ip link add near type veth peer name far && ip link set near up && ip link set far up \\
  && ip addr add 192.0.2.1/24 dev near && ip neigh add 192.0.2.7 lladdr 02:00:00:00:00:07 dev near || exit 99
flood() { python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(99): s.sendto(bytes(1000), ("192.0.2.7", 9))'; }
"""


def netns(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script where there is a device to the peer, and nothing else."""
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", LINK + script], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode == 99 or done.stderr.startswith("unshare"):
        pytest.skip(f"there are no network namespaces here: {done.stderr}")
    return done


def aim(kind: str, **given: float | str) -> Aim:
    whole = topology()
    far, *others = whole.nameservers
    far = replace(far, variables={**far.variables, "rocketmq_address": PEER})
    whole = replace(whole, nameservers=(far, *others))
    return Aim(whole.brokers[0], whole, faults.options(kind, {"peers": far.name, **given}), fault="f-1")


def plan(kind: str, **given: float | str) -> FaultPlan:
    return faults.find(kind).plan(aim(kind, **given), "")


def requires(kind: str) -> Command:
    return faults.find(kind).requires(aim(kind))


def test_a_narrow_way_bites_and_is_widened_twice() -> None:
    made = plan("bandwidth", kbit=64)
    short = in_a_moment(made.verify)
    done = netns(f"""
before=$(tc qdisc show; tc class show dev near; tc filter show dev near)
{requires("bandwidth")} || exit 1
{made.heal} && {made.healed} || exit 2
{made.inject} || exit 3
! {short} 2> /dev/null || exit 4
flood
{made.verify} || exit 5
! {made.healed} 2> /dev/null || exit 6
{made.heal} && {made.healed} && {made.cure} || exit 7
[ "$before" = "$(tc qdisc show; tc class show dev near; tc filter show dev near)" ] || exit 8
""")
    assert done.returncode == 0, done


def test_a_device_of_somebody_else_is_left_alone() -> None:
    made = plan("bandwidth")
    done = netns(f"""
tc qdisc add dev near root tbf rate 1mbit burst 4k latency 50ms || exit 1
before=$(tc qdisc show)
! {requires("bandwidth")} || exit 2
! {made.inject} 2> /dev/null || exit 3
{made.heal} && {made.healed} || exit 4
[ "$before" = "$(tc qdisc show)" ] || exit 5
""")
    assert done.returncode == 0, done
    assert "the device near has a queueing discipline of somebody else: tbf" in done.stderr


def test_a_narrow_way_that_was_made_half_is_widened() -> None:
    made = plan("bandwidth")
    done = netns(f"""
tc qdisc add dev near root handle {traffic_control.handle(aim("bandwidth"))}: htb || exit 1
! {made.healed} || exit 2
{made.cure} || exit 3
tc qdisc show dev near
""")
    assert (done.returncode, "htb" in done.stdout) == (0, False), done


def test_what_the_kernel_has_not_is_said_before_anything_starts() -> None:
    has = netns("tc qdisc add dev lo root netem delay 1ms").returncode == 0
    done = netns(str(requires("delay")))
    assert (done.returncode == 0) == has
    assert has or done.stderr.endswith("unsupported: the kernel has no netem\n")


def test_peers_on_this_host_are_refused() -> None:
    done = netns(f"ip addr add {PEER}/32 dev lo; {requires('bandwidth')}")
    assert done.returncode
    assert f"{PEER} is an address of this host" in done.stderr


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "netem limit 10000 delay 100ms"),
        ({"ms": 50, "jitter": 10}, "netem limit 10000 delay 50ms 10ms"),
        ({"reorder": 25, "duplicate": 0.5}, "netem limit 10000 delay 100ms reorder 25% duplicate 0.5%"),
    ],
)
def test_a_delay_is_in_words_that_tc_understands(given: dict[str, float], words: str) -> None:
    assert words in plan("delay", **given).inject.argv
    done = netns(f"tc qdisc add dev near root {words}")
    assert done.returncode == 0 or "Specified qdisc kind is unknown" in done.stderr, done
    wrong = netns(f"tc qdisc add dev near root {words} latency")
    assert "Specified qdisc kind is unknown" not in wrong.stderr


def test_a_delay_is_seen_by_who_waits_for_an_answer(tmp_path: Path) -> None:
    made = plan("delay", ms=100, jitter=20)
    ping = tmp_path / "ping"
    quoted = shlex.quote(f"{tmp_path}:")
    handle = traffic_control.handle(aim("delay"))
    for answer, seen in (("time=99.1 ms", True), ("time=72.0 ms", True), ("time=0.4 ms", False), ("", False)):
        ping.write_text(f"#!/bin/sh\necho '64 bytes from {PEER}: icmp_seq=1 ttl=64 {answer}'\n")
        ping.chmod(0o755)
        verify = made.verify if seen else in_a_moment(made.verify)
        done = netns(f"tc qdisc add dev near root handle {handle}: htb; PATH={quoted}$PATH; export PATH; {verify}")
        assert (done.returncode == 0) == seen, done


def test_more_jitter_than_delay_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot vary by 200 ms"):
        faults.find("delay").requires(aim("delay", jitter=200))
