"""A lab host replaced by a virtual machine, under the same address: with a kernel, a clock and cgroups of its own.

For faults that a container cannot have. It is emulated (TCG), because not everybody may use KVM, and so takes some
ten times as long for everything as a container does. Needs root, qemu-system-x86_64 and mke2fs.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rmqops.lab import engine, hosts, login
from tests.support.lab import LabUp

KERNEL = "linux-image-cloud-amd64"
MIB = 2560
"""Memory of the machine: for a NameServer and a broker of a lab."""
DISK = "8G"
BOOT_SECONDS = 600
HOLDS = """
set -eu
rm -f /etc/systemd/system/systemd-udevd.service /etc/systemd/system/systemd-udev-trigger.service
printf '%s\\n' "$1" > /etc/hostname
printf '127.0.0.1 localhost %s\\n' "$1" > /etc/hosts
mkdir -p /etc/systemd/network
printf '[Match]\\nType=ether\\n[Network]\\nAddress=%s\\nGateway=%s\\n' "$2" "$3" > /etc/systemd/network/lab.network
systemctl enable --quiet systemd-networkd 2> /dev/null
systemctl disable --quiet systemd-networkd-wait-online 2> /dev/null
apt-get -q update
DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends "$4" initramfs-tools
"""
"""What the file system lacks: $1 the host's name, $2 its address with length, $3 the gateway, $4 the kernel."""


@contextmanager
def in_place_of(up: LabUp, host: str, work: Path) -> Iterator[None]:
    """Run a machine instead of a lab's host, which is stopped for as long; with what the host's disk holds now.

    Args:
        up: The lab.
        host: The host, by name, number or instance.
        work: A directory on a disk with some 3 GiB of room; what is put there is removed again.
    """
    name = up.lab.find(host)
    container = engine.only(up.lab.engine.hosts(up.name), name).container
    network = json.loads(up.lab.engine.do("network", "inspect", engine.network(up.name)).stdout)[0]
    tap = f"rmqops{network['network_interface'][-4:]}"
    try:
        _disk(up.lab, name, container, network["subnets"][0], work)
        up.lab.stop(name)
        _run("ip", "tuntap", "add", "dev", tap, "mode", "tap")
        _run("ip", "link", "set", tap, "master", network["network_interface"], "up")
        with subprocess.Popen(_qemu(work, tap), stdin=subprocess.DEVNULL) as machine:
            try:
                login.wait(up.lab.access, [name], BOOT_SECONDS, lambda _host: _ended(machine, work))
                yield
            finally:
                machine.kill()
    finally:
        subprocess.run(["ip", "link", "delete", tap], check=False, capture_output=True)
        shutil.rmtree(work)


def _disk(lab: hosts.Lab, name: str, container: str, subnet: dict[str, str], work: Path) -> None:
    root = work / "root"
    root.mkdir(parents=True)
    with subprocess.Popen([lab.engine.name, "export", container], stdout=subprocess.PIPE) as packed:
        _run("tar", "-C", str(root), "-xpf", "-", stdin=packed.stdout)
    assert packed.returncode == 0
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    address = f"{lab.access.addresses[name]}/{subnet['subnet'].partition('/')[2]}"
    _run("chroot", str(root), "/bin/sh", "-c", HOLDS, "sh", name, address, subnet["gateway"], KERNEL)
    for kind in ("vmlinuz", "initrd.img"):
        (found,) = (root / "boot").glob(f"{kind}-*")
        found.rename(work / kind)
    _run("mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", str(root), str(work / "disk"), DISK)
    shutil.rmtree(root)


def _qemu(work: Path, tap: str) -> list[str]:
    return [
        *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", str(MIB)),
        *("-display", "none", "-no-reboot", "-serial", f"file:{work / 'console'}"),
        *("-kernel", str(work / "vmlinuz"), "-initrd", str(work / "initrd.img")),
        *("-append", "root=LABEL=root rw console=ttyS0 net.ifnames=0 panic=-1"),
        *("-drive", f"file={work / 'disk'},if=virtio,format=raw,cache=unsafe"),
        *("-nic", f"tap,ifname={tap},script=no,downscript=no,model=virtio-net-pci"),
    ]


def _ended(machine: subprocess.Popen[bytes], work: Path) -> str | None:
    if machine.poll() is None:
        return None
    return f"qemu ended with {machine.returncode}: {(work / 'console').read_text(errors='replace')[-2000:]}"


def _run(*argv: str, stdin: object = None) -> None:
    done = subprocess.run(argv, check=False, capture_output=True, stdin=stdin)  # type: ignore[call-overload]
    assert done.returncode == 0, (argv, done.stdout[-2000:], done.stderr[-2000:])
