"""Topologies made by hand, and instances that are small processes of this machine, for the tests of drills."""

from __future__ import annotations

from pathlib import Path

from rmqops.model.topology import Group, Instance, Kind, Mode, Topology, Value


def instance(
    name: str, home: Path | str, *, kind: Kind = "broker", group: str | None = None, port: int = 1
) -> Instance:
    """Describe an instance on this machine."""
    variables: dict[str, Value] = {
        "rocketmq_address": "127.0.0.1",
        "rocketmq_listen_port": port,
        "rocketmq_instance_dir": str(home),
        "rocketmq_data_dir": f"{home}/data",
        "rocketmq_log_dir": f"{home}/logs",
        "rocketmq_broker_role": "SYNC_MASTER",
        "rocketmq_start_timeout": 5,
        "rocketmq_stop_timeout": 5,
        "rocketmq_supervisor": "detached",
    }
    return Instance(name, kind, group, "127.0.0.1", "local", variables)


def topology(
    home: Path | str = "/nowhere",
    *,
    groups: int = 1,
    members: int = 3,
    nameservers: int = 3,
    mode: Mode = "dledger",
    drillable: bool = True,
    ports: int = 0,
) -> Topology:
    """Describe a cluster: ``namesrv-1`` …, and groups ``broker-a`` … with members ``broker-a-0`` ….

    Their ports begin after ``ports``.
    """
    servers = [
        instance(f"namesrv-{number}", f"{home}/namesrv-{number}", kind="namesrv", port=ports + number)
        for number in range(1, nameservers + 1)
    ]
    made = []
    for index in range(groups):
        name = f"broker-{'abcdefgh'[index]}"
        brokers = [
            instance(
                f"{name}-{number}", f"{home}/{name}-{number}", group=name, port=ports + 100 * (index + 1) + number
            )
            for number in range(members)
        ]
        made.append(Group(name, mode, tuple(brokers)))
    return Topology("trial", "4.5.2", "trial.yml", tuple(servers), tuple(made), drillable)


_PID = """#!/bin/sh
home=$(dirname "$(dirname "$(dirname "$0")")")
pid=$(cat "$home/run/pid" 2>/dev/null) || exit 1
tr '\\0' '\\n' < "/proc/$pid/cmdline" 2>/dev/null | grep -Fqx -e "-Drmqops.instance=$home" || exit 1
echo "$pid"
"""

_START = """#!/bin/sh
home=$(dirname "$(dirname "$(dirname "$0")")")
"$home/current/bin/pid.sh" && exit 0
setsid sh -c 'sleep 60; :' "-Drmqops.instance=$home" > /dev/null 2>&1 < /dev/null &
echo $! > "$home/run/pid"
until "$home/current/bin/pid.sh"; do sleep 0.01; done
"""


_STOP = """#!/bin/sh
home=$(dirname "$(dirname "$(dirname "$0")")")
if pid=$("$home/current/bin/pid.sh"); then
  kill -s TERM -- "-$pid"
  while "$home/current/bin/pid.sh" > /dev/null; do sleep 0.01; done
fi
"""


def make_scripts(made: Instance) -> None:
    """Write the scripts of an instance whose process only sleeps."""
    home = Path(made.home)
    scripts = home / "current" / "bin"
    scripts.mkdir(parents=True)
    (home / "run").mkdir()
    for name, text in (("pid.sh", _PID), ("start.sh", _START), ("stop.sh", _STOP)):
        script = scripts / name
        script.write_text(text)
        script.chmod(0o755)
