"""Who is on which host, the inventory that says so, and that rmqops takes it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import yaml

from rmqops.errors import UsageError
from rmqops.lab import addresses, layout
from rmqops.lab.layout import Access, LabRequest
from rmqops.model.releases import RELEASES
from rmqops.operations import inventories


def access(wanted: LabRequest) -> Access:
    return Access(addresses.addresses("10.213.0.0/24", wanted), Path("/s t/lab/key"), Path("/s t/lab/known_hosts"))


def placed(wanted: LabRequest) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in layout.place(wanted):
        found.setdefault(each.host, []).append(each.name)
    return found


def test_three_hosts_are_shared() -> None:
    assert placed(LabRequest(hosts=3)) == {
        "lab-1": ["namesrv-1", "broker-a-0"],
        "lab-2": ["namesrv-2", "broker-a-1"],
        "lab-3": ["namesrv-3", "broker-a-2"],
    }


def test_six_hosts_have_one_instance_each() -> None:
    assert [names for _, names in sorted(placed(LabRequest(hosts=6)).items())] == [
        ["namesrv-1"],
        ["namesrv-2"],
        ["namesrv-3"],
        ["broker-a-0"],
        ["broker-a-1"],
        ["broker-a-2"],
    ]


@pytest.mark.parametrize(
    ("wanted", "groups", "clients"),
    [
        (LabRequest(hosts=3), 1, 0),
        (LabRequest(hosts=5), 1, 2),
        (LabRequest(hosts=8), 1, 2),
        (LabRequest(hosts=9), 2, 0),
        (LabRequest(hosts=36), 11, 0),
        (LabRequest(hosts=36, groups=2), 2, 27),
        (LabRequest(hosts=3, mode="master-slave"), 1, 0),
        (LabRequest(hosts=4, mode="master-slave"), 1, 1),
        (LabRequest(hosts=5, mode="master-slave"), 1, 0),
        (LabRequest(hosts=8, mode="master-slave", version="4.4.0"), 2, 1),
        (LabRequest(hosts=200), 65, 2),
        (LabRequest(hosts=3, clients=2), 1, 2),
        (LabRequest(hosts=5, clients=1), 1, 3),
        (LabRequest(hosts=200, clients=40), 65, 42),
    ],
)
def test_groups_and_what_is_left_over(wanted: LabRequest, groups: int, clients: int) -> None:
    found = layout.place(wanted)
    assert len({each.group for each in found if each.kind == "broker"}) == groups
    assert len([each for each in found if each.kind == "client"]) == clients
    assert {each.host for each in found} == set(wanted.names), "a host carries nothing"
    members = [(each.host, each.group) for each in found]
    assert len(set(members)) == len(members), "two members of a group on one host"


@pytest.mark.parametrize("version", sorted(RELEASES))
@pytest.mark.parametrize("hosts", [3, 4, 6, 9, 36])
def test_rmqops_takes_the_inventory_without_a_warning(
    version: str, hosts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = LabRequest(
        hosts=hosts, version=version, mode="dledger" if RELEASES[version].dledger else "master-slave"
    )
    (tmp_path / "inventory" / "lab").mkdir(parents=True)
    (tmp_path / "inventory" / "lab" / "hosts.yml").write_text(layout.inventory(wanted, access(wanted)))
    monkeypatch.chdir(tmp_path)
    loaded = inventories.load("lab")
    assert loaded.warnings == ()
    topology = loaded.topology
    assert (topology.cluster, topology.version, topology.drillable) == ("lab", version, True)
    assert {(each.connection, each.supervisor) for each in topology.instances} == {("ssh", "systemd")}
    addresses_by_host = access(wanted).addresses
    assert {each.name: each.host for each in topology.instances} == {
        each.name: addresses_by_host[each.host] for each in layout.place(wanted) if each.kind != "client"
    }


def test_the_inventory_says_how_hosts_are_reached() -> None:
    wanted = LabRequest(hosts=4)
    document = yaml.safe_load(layout.inventory(wanted, access(wanted)))["all"]
    assert document["vars"]["ansible_become"] is True
    assert document["vars"]["ansible_user"] == "ops"
    options = shlex.split(document["vars"]["ansible_ssh_common_args"])
    assert "UserKnownHostsFile=/s t/lab/known_hosts" in options
    assert "StrictHostKeyChecking=yes" in options
    assert document["children"]["clients"]["hosts"] == {"client-1": {"ansible_host": "10.213.0.14"}}


def test_a_login_uses_nothing_of_the_users_own_configuration() -> None:
    argv = access(LabRequest()).ssh("lab-2", "echo", "a b")
    assert argv[:5] == ("ssh", "-F", "none", "-i", "/s t/lab/key")
    assert argv[-3:] == ("ops@10.213.0.12", "--", "echo 'a b'")


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (LabRequest(hosts=2), "3 to 200 hosts"),
        (LabRequest(hosts=201), "3 to 200 hosts"),
        (LabRequest(version="4.9.9"), "no release 4.9.9"),
        (LabRequest(version="4.4.0"), "no DLedger"),
        (LabRequest(hosts=6, groups=2), "bear 1 to 1 groups"),
        (LabRequest(hosts=6, groups=0), "bear 1 to 1 groups"),
    ],
)
def test_what_hosts_do_not_bear(wanted: LabRequest, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        layout.place(wanted)
    assert caught.value.remedy


@pytest.mark.parametrize(("index", "name"), [(0, "a"), (25, "z"), (26, "aa"), (51, "az"), (52, "ba"), (701, "zz")])
def test_letters(index: int, name: str) -> None:
    assert layout.letters(index) == name
