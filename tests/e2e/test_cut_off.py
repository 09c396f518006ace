"""A controller that is gone, on real hosts: its heals fire all the same, and its lock ends by itself."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from rmqops.chaos.mechanisms import deadman
from rmqops.errors import Unsafe
from rmqops.model.topology import Instance, Topology
from rmqops.operations import inventories
from rmqops.operations.change import lock
from rmqops.transport.base import transport_for
from tests.support.lab import LabUp
from tests.support.waiting import until

if TYPE_CHECKING:
    from rmqops.model.variables import HostVariables

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

HOME = "/run/rmqops-e2e"
LOGIND = "/run/systemd/logind.conf.d/rmqops-e2e.conf"
ARM = f"""
import sys, time
from dataclasses import replace
from rmqops.chaos.mechanisms import deadman
from rmqops.model.commands import Command
from rmqops.operations import inventories
from rmqops.transport.base import check, transport_for
instance = inventories.load(sys.argv[1]).topology.nameservers[0]
instance = replace(instance, variables=instance.variables.overlaid({{"rocketmq_instance_dir": {HOME!r}}}))
cure = Command.shell('cat /proc/self/cgroup > "$1"', {HOME!r} + "/healed")
check(transport_for(instance).run(deadman.arm(instance, "e2e-1-1", cure, float(sys.argv[2]))), "the host")
print("armed", flush=True)
time.sleep(600)
"""
HOLD = """
import sys, time
from rmqops.operations import inventories
from rmqops.operations.change import lock
lock.PATIENCE = int(sys.argv[2])
lock.CERTAIN = 0.9 * lock.PATIENCE
with lock.held(inventories.load(sys.argv[1]).topology, "deploy") as held:
    print("held", flush=True)
    sys.stdin.readline()
    try:
        held.check()
    except Exception as error:
        print(error, flush=True)
"""


@pytest.fixture(scope="module")
def up(lab: Callable[..., LabUp]) -> LabUp:
    return lab(hosts=3)


@pytest.fixture
def topology(up: LabUp) -> Topology:
    return inventories.load(str(up.inventory)).topology


@contextmanager
def controller(program: str, up: LabUp, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program as a controller of its own, until its first word, and end it for good."""
    argv = [sys.executable, "-c", program, str(up.inventory), *arguments]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() in {"armed\n", "held\n"}
            yield process
        finally:
            process.kill()


@pytest.fixture
def killing(up: LabUp, topology: Topology) -> Iterator[Instance]:
    """A host whose logind ends what a session leaves behind."""
    victim = topology.nameservers[0]
    setting = 'mkdir -p "${1%/*}"; printf "[Login]\\nKillUserProcesses=yes\\n" > "$1"'
    up.root(victim.name, f"{setting}; systemctl restart systemd-logind", LOGIND)
    variables = cast("HostVariables", victim.variables).overlaid({"rocketmq_instance_dir": HOME})
    yield replace(victim, variables=variables)
    up.root(victim.name, 'rm -rf "$1" "$2"; systemctl restart systemd-logind', LOGIND, HOME)


def test_a_heal_outlives_the_session_that_armed_it(up: LabUp, killing: Instance) -> None:
    with controller(ARM, up, "10") as armer:
        armer.send_signal(signal.SIGKILL)
        armer.wait()
        until(lambda: "rmqops-heal" in up.root(killing.name, f"cat {HOME}/healed || true"), "it fires", 120)
    until(lambda: transport_for(killing).run(deadman.armed(killing)).stdout == "", "nothing is armed", 30)
    units = up.root(killing.name, "systemctl list-units --all --plain --no-legend 'rmqops-heal-*'")
    assert units == ""


def test_a_heal_is_disarmed_and_its_unit_is_gone(up: LabUp, killing: Instance) -> None:
    with controller(ARM, up, "600"):
        found = transport_for(killing).run(deadman.find("e2e-1-1")).stdout
        assert found == f"{HOME}/heals/e2e-1-1\n"
        assert transport_for(killing).run(deadman.disarm(killing, "e2e-1-1")).stdout == "armed\n"
        until(
            lambda: up.root(killing.name, "systemctl list-units --all --plain --no-legend 'rmqops-heal-*'") == "",
            "its unit is gone",
        )


def test_who_is_not_root_and_does_not_linger_is_refused(killing: Instance) -> None:
    probe = replace(deadman.requires().command(), become=False)
    done = transport_for(killing).run(probe)
    assert not done.ok
    assert "the heal would die with our session" in done.stderr
    assert transport_for(killing).run(deadman.requires().command()).ok, "root's outlives it"


def test_the_lock_of_a_frozen_controller_ends_by_itself(up: LabUp, topology: Topology) -> None:
    """It is stopped, so that nothing comes from it and no connection ends: as if its network had died."""
    with controller(HOLD, up, "5") as holder:
        with pytest.raises(Unsafe, match="rmqops deploy"), lock.held(topology, "restart"):
            pass
        holder.send_signal(signal.SIGSTOP)

        def free() -> bool:
            return all(seen.holder is None and seen.error is None for seen in lock.look(topology))

        until(free, "the hosts let go", 120)
        with lock.held(topology, "restart"):
            pass
        holder.send_signal(signal.SIGCONT)
        said, _ = holder.communicate("\n", timeout=120)
        assert "was lost" in said
        assert holder.wait() == 0


def test_no_other_user_of_a_host_can_block_it(up: LabUp, topology: Topology) -> None:
    host = topology.nameservers[0].name
    name = f"rmqops-{topology.cluster}.lock"
    plant = 'for dir in /run/lock /tmp; do runuser -u nobody -- mkfifo "$dir/$1" || :; done'
    up.root(host, plant, name)
    with lock.held(topology, "restart"):
        assert up.on(host, "ls", "/run/rmqops").code != 0
        assert up.root(host, "stat -c '%a %U' /run/rmqops") == "700 root\n"
    up.root(host, 'rm -f "/run/lock/$1" "/tmp/$1"', name)
    assert up.root(host, "ls /run/rmqops") == ""
