"""Subnets, apt's sources, kernel settings, the written inventory, keys: each alone."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from rmqops.errors import PreflightFailed, UsageError
from rmqops.lab import addresses, aptsources, images, inventories, kernel, state
from rmqops.lab.layout import LabRequest
from rmqops.lab.state import LabDirectory, LabRecord

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
tun0\t0000D50A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def test_routes() -> None:
    assert addresses.routed(ROUTES) == (IPv4Network("192.0.2.0/24"), IPv4Network("10.213.0.0/16"))


def test_a_subnet_that_is_routed_is_not_taken() -> None:
    assert str(next(addresses.free(addresses.routed(ROUTES)))) == "10.214.0.0/24"
    assert str(next(addresses.free([]))) == "10.213.0.0/24"
    assert list(addresses.free([IPv4Network("10.0.0.0/8")])) == []


def test_addresses_do_not_move_when_a_lab_grows() -> None:
    six = addresses.addresses("10.213.7.0/24", LabRequest(hosts=6))
    nine = addresses.addresses("10.213.7.0/24", LabRequest(hosts=9))
    assert six["lab-1"] == "10.213.7.11"
    assert nine | six == nine


SOURCES = {
    "/etc/apt/sources.list": """
# deb http://commented.example bookworm main
deb [arch=amd64 signed-by=/keys/vendor.gpg] https://vendor.example/apt stable main
deb http://one.example/debian bookworm-updates main
deb-src http://one.example/debian bookworm main
deb [ signed-by=/keys/one.gpg ] http://one.example/debian bookworm contrib main # ours
""",
    "/etc/apt/sources.list.d/debian.sources": """\
Types: deb deb-src
# a comment
URIs: http://two.example/debian http://three.example/debian
Suites: trixie
 trixie-updates
Components: main
Signed-By: /keys/two.gpg

Enabled: no
Types: deb
URIs: http://off.example
Suites: forky
Components: main

Types: deb
URIs: http://inline.example
Suites: sid
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
""",
}


@pytest.mark.parametrize(
    ("codename", "uri", "keyring"),
    [
        ("bookworm", "http://one.example/debian", "/keys/one.gpg"),
        ("trixie", "http://two.example/debian", "/keys/two.gpg"),
        ("sid", "http://inline.example", None),
    ],
)
def test_the_archive_of_a_release(codename: str, uri: str, keyring: str | None) -> None:
    found = aptsources.main_archive(aptsources.parse(SOURCES), codename)
    assert found is not None
    assert (found.uri, found.keyring) == (uri, keyring)


@pytest.mark.parametrize("codename", ["forky", "bullseye", ""])
def test_no_archive(codename: str) -> None:
    assert aptsources.main_archive(aptsources.parse(SOURCES), codename) is None


DUMP = """\
APT::Architecture "amd64";
Acquire "";
Acquire::http "";
Acquire::http::Proxy "http://proxy.example:3128";
Acquire::https::Proxy "DIRECT";
Acquire::Check-Date "false";
Acquire::Languages "none";
"""


def test_what_apt_says_of_fetching() -> None:
    assert images.proxies(DUMP) == {"http_proxy": "http://proxy.example:3128"}
    assert images.acquire(DUMP).splitlines() == [
        'Acquire::http::Proxy "http://proxy.example:3128";',
        'Acquire::https::Proxy "DIRECT";',
        'Acquire::Check-Date "false";',
    ]


def test_an_image_is_named_by_its_recipe() -> None:
    recipe = images.recipe()
    assert {"packages", "provision", "init", "Containerfile"} <= set(recipe)
    assert images.name(recipe) == images.name(dict(reversed([*recipe.items()])))
    assert images.name({**recipe, "packages": recipe["packages"] + b"less\n"}) != images.name(recipe)


def test_debootstrap_uses_the_keyring_of_the_source() -> None:
    argv = images.debootstrap(
        images.DebianArchive("http://a.example", "bookworm", "/k.gpg"), ["a", "b"], Path("/r")
    )
    assert argv == (
        "debootstrap", "--variant=minbase", "--include=a,b", "--keyring=/k.gpg", "bookworm", "/r", "http://a.example"
    )  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    for key, value in {kernel.INOTIFY: "128", "vm.swappiness": "60"}.items():
        path = tmp_path.joinpath(*key.split("."))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")
    return tmp_path


def test_kernel_settings_are_read_and_written(settings: Path) -> None:
    assert kernel.read([kernel.INOTIFY, "vm.swappiness", "vm.none"], settings) == {
        kernel.INOTIFY: "128",
        "vm.swappiness": "60",
    }
    assert kernel.write({kernel.INOTIFY: "128", "vm.swappiness": "10"}, settings) == ("vm.swappiness",)
    assert kernel.read(["vm.swappiness"], settings) == {"vm.swappiness": "10"}


def test_a_setting_that_cannot_be_written() -> None:
    with pytest.raises(PreflightFailed) as caught:
        kernel.write({"kernel.ngroups_max": "1"})  # read-only, for root too
    assert caught.value.remedy == "sysctl -w kernel.ngroups_max=1"


def test_settings_travel_in_a_label() -> None:
    before = {kernel.INOTIFY: "128", "vm.swappiness": "60"}
    assert kernel.unlabel(kernel.label(before)) == before
    assert kernel.unlabel("kernel.core_pattern=|/bin/sh,vm.swappiness=60;rm,,=") == {}


def test_the_second_lab_knows_what_the_first_one_found() -> None:
    assert kernel.originals({kernel.INOTIFY: "800"}, [{kernel.INOTIFY: "128", "vm.swappiness": "60"}]) == {
        kernel.INOTIFY: "128"
    }


def test_an_inventory_is_written_once_and_removed(tmp_path: Path) -> None:
    path = inventories.place("lab", tmp_path)
    assert inventories.write("lab", path, "all: {}\n") == "written"
    assert inventories.write("lab", path, "all: {}\n") == "same"
    assert inventories.write("lab", path, "all: {hosts: }\n") == "written"
    assert inventories.remove("lab", path) == "removed"
    assert list(tmp_path.iterdir()) == []
    assert inventories.remove("lab", path) == "absent"


@pytest.mark.parametrize("change", ["edited", "foreign", "of another lab"])
def test_an_inventory_of_somebody_else_is_kept(tmp_path: Path, change: str) -> None:
    path = inventories.place("lab", tmp_path)
    inventories.write("other" if change == "of another lab" else "lab", path, "all: {}\n")
    if change == "edited":
        path.write_text(path.read_text() + "# mine\n")
    elif change == "foreign":
        path.write_text("all: {}\n")
    before = path.read_text()
    assert inventories.write("lab", path, "all: {hosts: }\n") == "kept"
    assert inventories.remove("lab", path) == "kept"
    assert path.read_text() == before


@pytest.mark.parametrize("name", ["", "Lab", "1lab", "a/b", "..", "a_b", "x" * 31, "-a"])
def test_what_is_no_name_for_a_lab(name: str) -> None:
    with pytest.raises(UsageError):
        state.of(name)


def test_the_state_is_read_back_and_only_a_labs_is_removed(tmp_path: Path) -> None:
    kept = LabDirectory(tmp_path / "lab")
    assert kept.read() is None
    assert not kept.remove()
    record = LabRecord(LabRequest(hosts=9, mode="master-slave", version="4.4.0"), ("/w/inventory/lab/hosts.yml",))
    kept.write(record)
    assert kept.read() == record
    (kept.root / state.MARKER).write_text("{")
    assert kept.read() is None
    assert kept.remove()
    (tmp_path / "lab").mkdir()
    assert not kept.remove()
    assert kept.root.exists()


def test_host_keys_are_known_before_the_first_connection(tmp_path: Path) -> None:
    kept = LabDirectory(tmp_path / "lab")
    wanted = LabRequest(hosts=3, sudo_password=True)
    places = addresses.addresses("10.213.0.0/24", wanted)
    state.make_keys(kept, wanted, places)
    known = kept.known_hosts.read_text()
    state.make_keys(kept, wanted, places)
    assert kept.known_hosts.read_text() == known, "keys were made anew"
    for host in wanted.names:
        key = kept.seeds / host / "ssh_host_ed25519_key"
        argv = ["ssh-keygen", "-F", places[host], "-f", str(kept.known_hosts)]
        found = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        assert state.public(key).split()[1] in found
        assert key.stat().st_mode & 0o077 == 0
    assert len({line.split()[2] for line in known.splitlines()}) == 3
    assert kept.password.stat().st_mode & 0o077 == 0
    assert kept.root.stat().st_mode & 0o077 == 0
    assert not list(kept.root.rglob("kernel_settings"))
    state.make_keys(kept, replace(wanted, kernel_settings=True), places)
    assert len(list(kept.root.rglob("kernel_settings"))) == 3


@pytest.mark.parametrize(("said", "meant"), [("lab-2", "lab-2"), ("12", "lab-12"), ("lab", None), ("3", None)])
def test_which_host_is_meant(said: str, meant: str | None) -> None:
    assert state.mentioned(["lab-1", "lab-2", "lab-12"], said) == meant
