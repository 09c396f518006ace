"""What ``lab up``, ``down`` and ``status`` do with what is there; the container engine is a small program."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmqops.errors import OperationFailed, RmqopsError, UsageError
from rmqops.lab import down, hosts, inventories, login, state, up
from rmqops.lab.layout import LabRequest
from rmqops.lab.state import LabRecord
from tests.support.container_engine import ContainerEngine

LAB = "trial"


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ContainerEngine:
    """An engine without containers, and nothing else of this machine: no state, no lock, no other program."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("RMQOPS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(state, "RUN", tmp_path / "run")
    return ContainerEngine(tmp_path / "bin")


def present(engine: ContainerEngine, count: int, request: LabRequest | None) -> None:
    """Have a lab of so many hosts, with the record of what was asked for, if any."""
    for number in range(1, count + 1):
        engine.add_host(LAB, f"{LAB}-{number}", f"127.0.0.{10 + number}")
    if request:
        state.of(LAB).write(LabRecord(request))


@pytest.mark.parametrize(
    ("asked", "before", "error", "says"),
    [
        (LabRequest(LAB, 3), LabRequest(LAB, 4), UsageError, "has 4 hosts, and trial-4 would be too many"),
        (LabRequest(LAB, 4), None, OperationFailed, "has hosts, and its keys are gone"),
        (LabRequest(LAB, 4, sudo_password=True), LabRequest(LAB, 4), UsageError, "--sudo-password"),
        (LabRequest(LAB, 4), LabRequest(LAB, 4, kernel_settings=True), UsageError, "--kernel-settings"),
        (LabRequest(LAB, 2), LabRequest(LAB, 4), UsageError, "3 to 200 hosts"),
    ],
    ids=["fewer", "no keys", "sudo", "kernel", "too few"],
)
def test_a_lab_that_would_have_to_be_made_anew_is_left_as_it_is(
    asked: LabRequest,
    before: LabRequest | None,
    error: type[RmqopsError],
    says: str,
    engine: ContainerEngine,
    tmp_path: Path,
) -> None:
    present(engine, 4, before)
    with pytest.raises(error, match=says) as caught:
        up.up(asked, tmp_path, lambda _: None)
    assert caught.value.remedy
    assert len(engine.containers) == 4
    assert not any(call.startswith(("run ", "rm ", "start ", "network create")) for call in engine.calls)
    assert not (tmp_path / "inventory").exists()


def test_a_client_that_is_not_asked_for_any_more_is_too_many(engine: ContainerEngine, tmp_path: Path) -> None:
    present(engine, 3, LabRequest(LAB, hosts=3, clients=1))
    engine.add_host(LAB, f"{LAB}-c1", "127.0.0.211")
    with pytest.raises(UsageError, match="trial-c1 would be too many") as caught:
        up.up(LabRequest(LAB, hosts=3), tmp_path, lambda _: None)
    assert "--hosts 3 --clients 1" in str(caught.value.remedy)


def test_a_lab_is_removed_by_its_labels_and_nobody_elses(engine: ContainerEngine, tmp_path: Path) -> None:
    present(engine, 3, LabRequest(LAB, hosts=3))
    engine.add_host("other", "other-1", "127.0.0.11")
    place = inventories.place(LAB, tmp_path)
    inventories.write(LAB, place, "all: {}\n")
    engine.add_network(f"rmqops-{LAB}", rmqops_lab=LAB, rmqops_lab_inventory=str(place))
    engine.add_network("rmqops-other", rmqops_lab="other")
    done = down.down(LAB, tmp_path / "elsewhere", lambda _: None)
    assert (engine.containers, engine.networks) == ({"other-1": True}, ["rmqops-other"])
    assert done.hosts == (f"{LAB}-1", f"{LAB}-2", f"{LAB}-3")
    assert (done.subnet, done.inventories, done.keys) == ("127.0.0.0/24", (place,), True)
    assert not place.exists()
    again = down.down(LAB, tmp_path, lambda _: None)
    assert not again.anything


def test_what_is_somebody_elses_outlives_a_lab(engine: ContainerEngine, tmp_path: Path) -> None:
    engine.add_network(f"rmqops-{LAB}", theirs="1")
    place = inventories.place(LAB, tmp_path)
    inventories.write(LAB, place, "all: {}\n")
    place.write_text(place.read_text() + "# mine\n")
    done = down.down(LAB, tmp_path, lambda _: None)
    assert (done.network, done.kept, done.anything) == (None, (place,), False)
    assert engine.networks == [f"rmqops-{LAB}"]


def test_the_status_says_what_is_there_and_what_is_missing(
    engine: ContainerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "SSH_PORT", 1)
    present(engine, 3, LabRequest(LAB, hosts=4))
    engine.add_host(LAB, f"{LAB}-2", "127.0.0.12", running=False)
    engine.add_host(LAB, f"{LAB}-3", "127.0.0.13", system="starting")
    status = hosts.status(LAB)
    assert [(host.name, host.system, host.sshd) for host in status.hosts] == [
        (f"{LAB}-1", "running", False),
        (f"{LAB}-2", "", False),
        (f"{LAB}-3", "starting", False),
    ]
    assert status.hosts[0].instances == ("namesrv-1", "broker-a-0")
    assert (status.good, status.subnet) == (False, None)
    assert hosts.status("none").hosts == ()


def test_a_host_is_meant_by_its_name_its_number_or_an_instance(engine: ContainerEngine) -> None:
    present(engine, 3, LabRequest(LAB, hosts=3))
    lab = hosts.attach(LAB)
    assert [lab.find(word) for word in (f"{LAB}-2", "2", "broker-a-1")] == [f"{LAB}-2"] * 3
    with pytest.raises(OperationFailed, match="has no host 9"):
        lab.find("9")


def test_a_host_is_stopped_in_order_or_like_a_machine_without_power(engine: ContainerEngine) -> None:
    present(engine, 3, LabRequest(LAB, hosts=3))
    lab = hosts.attach(LAB)
    lab.stop(f"{LAB}-1")
    lab.stop(f"{LAB}-2", power_cut=True)
    lab.freeze(f"{LAB}-3")
    lab.thaw(f"{LAB}-3")
    assert engine.containers == {f"{LAB}-1": False, f"{LAB}-2": False, f"{LAB}-3": True}
    acts = [call for call in engine.calls if call.split()[0] in {"stop", "kill", "wait", "pause", "unpause"}]
    assert acts == [
        f"stop --time={hosts.STOP_SECONDS} {LAB}-1",
        f"kill --signal=KILL {LAB}-2",
        f"wait {LAB}-2",
        f"pause {LAB}-3",
        f"unpause {LAB}-3",
    ]


def test_there_is_no_lab_to_attach_to(engine: ContainerEngine) -> None:
    engine.add_network("rmqops-other", rmqops_lab="other")
    with pytest.raises(OperationFailed, match=f"there is no lab {LAB}; there is other"):
        hosts.attach(LAB)
