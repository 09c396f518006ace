"""Command lines as values, and what an engine's answers are made of."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from rmqops.errors import OperationFailed, PreflightFailed, ToolMissing
from rmqops.lab import engine
from rmqops.lab.engine import Engine, HardLimits, HostRecipe
from rmqops.model.commands import Command
from rmqops.transport.fake import FakeTransport

CREATION = HostRecipe("image:1", Path("/state/hosts"), HardLimits(nofile=20000, nproc=32768))


def silent(_command: Command) -> tuple[int, str]:
    return 0, ""


def option(argv: tuple[str, ...], name: str) -> list[str]:
    return [part.split("=", 1)[1] for part in argv if part.startswith(f"{name}=")]


def test_a_host_as_podman_makes_it() -> None:
    argv = Engine("podman", FakeTransport(silent), "runc").create("lab", "lab-3", "10.213.0.13", CREATION)
    assert argv[:3] == ("run", "--runtime=runc", "--detach")
    assert argv[-2:] == ("image:1", engine.INIT)
    assert option(argv, "--name") == ["rmqops-lab-3"]
    assert option(argv, "--ip") == ["10.213.0.13"]
    assert option(argv, "--network") == ["rmqops-lab"]
    assert option(argv, "--label")[0] == "rmqops.lab=lab"
    assert option(argv, "--ulimit") == ["nofile=20000:20000", "nproc=32768:32768"]
    assert option(argv, "--volume") == ["/state/hosts/lab-3:/var/lib/rmqops-lab:ro"]
    assert {"NET_ADMIN", "SYS_ADMIN"} <= set(option(argv, "--cap-add"))
    assert option(argv, "--systemd") == ["always"]
    assert option(argv, "--restart") == ["unless-stopped"]


@pytest.mark.parametrize("name", ["podman", "docker"])
def test_cgroups_are_always_the_hosts_own(name: str) -> None:
    made = Engine(name, FakeTransport(silent)).create("lab", "lab-1", "10.213.0.11", CREATION)  # type: ignore[arg-type]
    assert option(made, "--cgroupns") == ["private"]
    assert "--privileged" not in made


@pytest.mark.parametrize(
    ("state", "dead"), [("true 0", False), ("true 3", False), ("true 10", True), ("false 0", True), ("", True)]
)
def test_a_host_that_stops_again_and_again_is_given_up(state: str, dead: bool) -> None:
    def answer(command: Command) -> tuple[int, str]:
        return (0, "no init\n") if command.argv[1] == "logs" else (0, f"{state}\n")

    words = Engine("podman", FakeTransport(answer)).last_words("lab-1")
    assert (words is not None) == dead
    assert "no init" in (words or "no init")


def entry(number: int, *, running: bool = True) -> dict[str, object]:
    labels = {
        engine.LABEL: "lab",
        engine.HOST_LABEL: f"lab-{number}",
        engine.ADDRESS_LABEL: f"10.213.0.{10 + number}",
    }
    return {"Id": f"c{number}", "Config": {"Labels": labels, "Image": "image:1"}, "State": {"Running": running}}


def test_hosts_are_found_by_label_and_come_in_order() -> None:
    def answer(command: Command) -> tuple[int, str]:
        if command.argv[1] == "ps":
            return 0, "c10\nc2\n"
        return 0, json.dumps([entry(10, running=False), entry(2)])

    transport = FakeTransport(answer)
    found = Engine("podman", transport).hosts("lab")
    assert [(host.name, host.address, host.running) for host in found] == [
        ("lab-2", "10.213.0.12", True),
        ("lab-10", "10.213.0.20", False),
    ]
    assert "label=rmqops.lab=lab" in transport.commands[0].argv
    assert engine.only(found, "lab-2").container == "c2"
    with pytest.raises(OperationFailed, match="lab-2, lab-10"):
        engine.only(found, "lab-3")


def test_no_hosts_need_no_second_question() -> None:
    transport = FakeTransport(silent)
    assert Engine("podman", transport).hosts("lab") == ()
    assert len(transport.commands) == 1


@pytest.mark.parametrize(
    "answer",
    [
        '[{"labels": {"rmqops.lab": "lab"}, "subnets": [{"subnet": "10.213.4.0/24"}]}]',
        '[{"Labels": {"rmqops.lab": "lab"}, "IPAM": {"Config": [{"Subnet": "10.213.4.0/24"}]}}]',
    ],
    ids=["podman", "docker"],
)
def test_networks_of_both_engines(answer: str) -> None:
    found = Engine("podman", FakeTransport(lambda _: (0, answer)))
    assert found.network_labels("rmqops-lab") == {"rmqops.lab": "lab"}
    assert found.subnet("rmqops-lab") == "10.213.4.0/24"


def test_a_network_that_is_not_there() -> None:
    assert Engine("podman", FakeTransport(lambda _: (1, ""))).network_labels("rmqops-lab") is None


def test_neither_engine_is_here(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing) as caught:
        engine.find(FakeTransport(silent), path=str(tmp_path))
    assert caught.value.exit_code == 4
    assert "apt-get install --no-install-recommends podman" in str(caught.value.remedy)


def program(directory: Path, name: str) -> None:
    (directory / name).write_text("#!/bin/sh\n")
    (directory / name).chmod(0o755)


def test_docker_whose_daemon_is_not_there(tmp_path: Path) -> None:
    program(tmp_path, "docker")
    with pytest.raises(ToolMissing, match="daemon does not answer"):
        engine.find(FakeTransport(lambda _: (1, "")), path=str(tmp_path))
    assert engine.find(FakeTransport(silent), path=str(tmp_path)).name == "docker"


def test_podman_is_for_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "podman")
    program(tmp_path, "runc")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PreflightFailed, match="root") as caught:
        engine.find(FakeTransport(silent), path=str(tmp_path))
    assert "sudo" in str(caught.value.remedy)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert engine.find(FakeTransport(silent), path=str(tmp_path)).runtime == "runc"
