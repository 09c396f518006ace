"""The table of directories that are not for RocketMQ, by the paths that people name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmqops.model.system_places import reason

NEVER = [
    "/",
    "//",
    "/.",
    "/usr",
    "/usr/",
    "/usr/sbin",
    "/usr/local",
    "/usr/local/bin",
    "/usr/local/share/x",
    "/usr/share",
    "/usr/libexec",
    "/usr/lib64/x",
    "/usr/games",
    "/bin",
    "/sbin/x",
    "/lib",
    "/lib64/x",
    "/boot",
    "/boot/efi",
    "/etc",
    "/etc/rocketmq",
    "/dev/shm/x",
    "/proc/1",
    "/sys",
    "/run",
    "/run/x",
    "/var/run/x",
    "/var/lock/x",
    "/home",
    "/home/alice",
    "/home/alice/",
    "/home/alice/.ssh",
    "/home/alice/.gnupg/x",
    "/home/alice/.config/x",
    "/home/alice/.local",
    "/root",
    "/root/.ssh",
    "/root/.kube/x",
    "/media",
    "/mnt",
    "/opt",
    "/srv",
    "/var",
    "/var/lib",
    "/var/lib/mysql",
    "/var/lib/mysql/x",
    "/var/lib/dpkg",
    "/var/lib/postgresql/15/main",
    "/var/lib/docker",
    "/var/spool/cron",
    "/var/spool/x",
    "/var/mail/x",
    "/var/log",
    "/var/log/",
    "/var/log/nginx",
    "/var/log/journal",
    "/var/cache",
    "/var/cache/apt",
    "/var/backups",
    "/var/tmp",
    "/tmp",
    "/tmp/",
    "/lost+found",
    "/srv/../usr/bin",
    "/data/../etc/x",
]
UNITS_ONLY = ["/tmp/x", "/var/tmp/x/y", "/root/rocketmq", "/root/.local/share/rmqops/local"]
FINE = [
    "/opt/rocketmq",
    "/opt/rocketmq/instances/a/data",
    "/data",
    "/data/rocketmq",
    "/data1/mq/",
    "/logs",
    "/srv/rocketmq",
    "/mnt/disk1",
    "/media/disk",
    "/home/alice/rocketmq",
    "/home/alice/.rocketmq",
    "/usr/local/rocketmq",
    "/usr/local/rocketmq/store",
    "/var/lib/rocketmq",
    "/var/lib/shop/a",
    "/var/log/rocketmq",
    "/var/log/rocketmq/broker-a-0",
    "/app",
    "/u01/mq",
    "/export/home/mq",
    "/rocketmq",
]


@pytest.mark.parametrize("units", [True, False])
@pytest.mark.parametrize("path", NEVER)
def test_never(path: str, units: bool) -> None:
    assert reason(path, units=units)


@pytest.mark.parametrize("path", UNITS_ONLY)
def test_not_for_units(path: str) -> None:
    assert reason(path, units=True)
    assert reason(path, units=False) is None


@pytest.mark.parametrize("path", FINE)
def test_for_rocketmq(path: str) -> None:
    assert reason(path, units=True) is None
    assert reason(path, units=False) is None


@given(
    st.sampled_from([*NEVER, *UNITS_ONLY, *FINE]),
    st.lists(st.sampled_from(["/", "/.", "/x/.."]), max_size=3),
    st.booleans(),
)
def test_however_it_is_spelled(path: str, more: list[str], units: bool) -> None:
    assert reason(path + "".join(more), units=units) == reason(path, units=units)
