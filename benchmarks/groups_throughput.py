"""What a second and a third broker group add: messages/s that 2 and 3 groups take ÷ what one takes, in one run.

Each round begins with one group of one broker on this machine and grows it by ``rmqops scale-out`` twice;
``rmqops bench`` measures before and after. Medians count. Everything runs on this machine, producers included: if
its processors are busy with one group already, more groups add nothing here, and the ratio says so.

Needs the ports 25010 to 25052; all lies in a temporary directory and is destroyed at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from rmqops.model.releases import DEFAULT_VERSION

GROUPS = ("broker-a", "broker-b", "broker-c")
PORT = 25010


def inventory(base: Path, groups: int) -> dict[str, Any]:
    """Describe one NameServer and some groups of one broker."""
    return {
        "all": {
            "vars": {
                "ansible_connection": "local",
                "ansible_host": "127.0.0.1",
                "ansible_python_interpreter": sys.executable,
                "rocketmq_cluster": "groups-throughput",
                "rocketmq_version": DEFAULT_VERSION,
                "rocketmq_supervisor": "detached",
                "rocketmq_drillable": True,
                "rocketmq_base_dir": str(base),
            },
            "children": {
                "namesrv": {"hosts": {"namesrv-1": {"rocketmq_listen_port": PORT, "rocketmq_heap": "128m"}}},
                "brokers": {
                    "vars": {
                        "rocketmq_mode": "single",
                        "rocketmq_heap": "1g",
                        "rocketmq_direct_memory": "1g",
                        "rocketmq_config": {"registerNameServerPeriod": 10_000},
                    },
                    "children": {
                        name: {"hosts": {f"{name}-0": {"rocketmq_listen_port": PORT + 10 + 10 * place}}}
                        for place, name in enumerate(GROUPS[:groups])
                    },
                },
            },
        }
    }


def rmqops(path: Path, *arguments: str) -> str:
    """Run a command and return what it prints."""
    argv = [sys.executable, "-m", "rmqops", *arguments, "--inventory", str(path)]
    state = {**os.environ, "RMQOPS_STATE": str(path.parent)}
    return subprocess.run(argv, check=True, text=True, stdout=subprocess.PIPE, env=state).stdout


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15)
    given = parser.parse_args()
    measured: list[list[float]] = [[], [], []]
    with tempfile.TemporaryDirectory(prefix="rmqops-bench-") as home:
        path = Path(home) / "inventory.yml"
        for _ in range(given.rounds):
            try:
                for groups, rates in enumerate(measured, 1):
                    path.write_text(yaml.safe_dump(inventory(Path(home) / "srv", groups), sort_keys=False))
                    grow = ("scale-out", GROUPS[groups - 1]) if groups > 1 else ("deploy",)
                    rmqops(path, *grow, "--yes")
                    bench = json.loads(rmqops(path, "bench", "--seconds", str(given.seconds), "--json"))
                    shares = {share["group"]: round(share["per_second"]) for share in bench["shares"]}
                    print(f"{groups} groups: {bench['per_second']:,.0f} messages/s, {shares}", flush=True)
                    rates.append(bench["per_second"])
            finally:
                rmqops(path, "destroy", "--data", "--confirm", "groups-throughput")
    one = statistics.median(measured[0])
    for groups, rates in enumerate(measured[1:], 2):
        print(f"{groups} groups ÷ 1: {statistics.median(rates) / one:.2f}")


if __name__ == "__main__":
    main()
