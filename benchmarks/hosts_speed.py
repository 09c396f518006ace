"""Deploy to real hosts, deploy again, grow and check, each against a plain playbook in the same run.

- first deploy to six lab hosts, bundled Java, to health: ``rmqops deploy`` ÷ ``plain_playbook/site.yml``, a
  playbook written the usual way, with Ansible's default settings, and ``await_route.py`` after it; at most 0.5.
  The second deploy, in which nothing changes: at most 0.25. Rounds alternate, medians count.
- growth from 6 to 36 hosts, services not started, seconds for each added host: at most a third. Ours is what
  ``rmqops deploy`` runs up to the point where it waits for health, with ``rocketmq_start=false``.
- ``rmqops check`` on the 36 hosts: at most 10 s.

Beside the seconds stand the processor seconds of both sides together: the client, Ansible and ssh, and the hosts,
which share the machine with them. They say more than the seconds where others are at work on the machine. Makes a
lab of its own name, and removes it whatever happens. Needs root, as labs do.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rmqops.errors import OperationFailed
from rmqops.operations import inventories
from rmqops.operations.change import deploy
from rmqops.operations.change.fleet import Fleet, files_of
from rmqops.operations.change.progress import Progress
from rmqops.source.build import BuildOptions, ensure_artifact

HERE = Path(__file__).parent
PLAIN = HERE / "plain_playbook"
NAME = f"bench{os.getpid()}"
TOOLS = Path(sys.executable).parent
PATIENCE = {"ANSIBLE_TIMEOUT": "60"}
"""For both ways: all hosts' logins share this machine's processors."""
GROW = "--grow"
"""The hidden option with which this script runs our side of the growth, in a process of its own."""


@dataclass(frozen=True)
class Cost:
    """What one run took."""

    seconds: float
    processor: float
    """Processor seconds of the process with all its children, and of the hosts."""


class Bench:
    """A lab, and the two ways of bringing a cluster to it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.inventory = directory / "inventory" / NAME / "hosts.yml"
        built = json.loads(self.rmqops("build", "--runtime", "--json"))
        self.groups: list[Path] = []
        self.artifacts = {"artifact": built["path"], "runtime": built["runtime"]["path"]}

    def up(self, hosts: int) -> None:
        """Bring the lab up, or add to it."""
        self.rmqops("lab", "up", "--hosts", str(hosts), "--name", NAME)
        self._settle()
        self.groups = _groups()

    def _settle(self) -> None:
        """Wait until every host has booted to its end, so that no round pays for it."""
        end = time.monotonic() + 300
        while True:
            status = json.loads(
                self._run([sys.executable, "-m", "rmqops", "lab", "status", "--name", NAME, "--json"], {}, (0, 1))
            )
            if all(host["system"] in {"running", "degraded"} for host in status["hosts"]):
                return
            if time.monotonic() > end:
                raise SystemExit("the lab's hosts did not finish booting")
            time.sleep(2)

    def down(self) -> None:
        """Remove the lab."""
        self.rmqops("lab", "down", "--name", NAME)

    def rmqops(self, *arguments: str) -> str:
        """Run a command of rmqops and return what it prints."""
        return self._run([sys.executable, "-m", "rmqops", *arguments], {})

    def ours(self) -> Cost:
        """Deploy to health."""
        return self._cost([[sys.executable, "-m", "rmqops", "deploy", "--yes", "-i", str(self.inventory)]], {})

    def plain(self) -> Cost:
        """Run the plain playbook, and wait for health."""
        health = [sys.executable, str(HERE / "await_route.py"), str(self.inventory)]
        return self._cost([self._plain("site.yml"), health], self._defaults())

    def grow_ours(self) -> Cost:
        """Deploy without starting anything."""
        return self._cost([[sys.executable, __file__, GROW, str(self.inventory)]], {})

    def grow_plain(self) -> Cost:
        """Run the plain playbook without starting anything."""
        return self._cost([self._plain("site.yml", "-e", '{"rocketmq_start": false}')], self._defaults())

    def check(self) -> Cost:
        """Run every probe on every host; what it finds of this machine does not matter here."""
        argv = [sys.executable, "-m", "rmqops", "check", "--json", "-i", str(self.inventory)]
        return self._cost([argv], {}, good=(0, 4))

    def remove_ours(self) -> None:
        """Take our cluster away whole, and the user, so that the next round finds bare hosts."""
        self.rmqops("destroy", "--data", "--confirm", NAME, "-i", str(self.inventory))
        self.remove_plain()

    def remove_plain(self) -> None:
        """Take the plain cluster away whole."""
        self._run([*self._plain("remove.yml"), "--forks", "20"], self._defaults())

    def _plain(self, name: str, *options: str) -> list[str]:
        variables = [part for pair in self.artifacts.items() for part in ("-e", "=".join(pair))]
        return [
            str(TOOLS / "ansible-playbook"),
            "-i",
            str(self.inventory),
            *variables,
            *options,
            str(PLAIN / name),
        ]

    def _defaults(self) -> Mapping[str, str]:
        empty = self.directory / "ansible.cfg"
        empty.touch()
        return {"ANSIBLE_CONFIG": str(empty)}

    def _cost(
        self, commands: Sequence[Sequence[str]], more: Mapping[str, str], good: Sequence[int] = (0,)
    ) -> Cost:
        before, started = self._processor(), time.monotonic()
        for command in commands:
            self._run(command, more, good)
        return Cost(round(time.monotonic() - started, 2), round(self._processor() - before, 2))

    def _processor(self) -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime + sum(map(_group_seconds, self.groups))

    def _run(self, command: Sequence[str], more: Mapping[str, str], good: Sequence[int] = (0,)) -> str:
        done = subprocess.run(
            command,
            cwd=self.directory,
            env={**os.environ, **PATIENCE, **more},
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode not in good:
            sys.stderr.write(done.stdout + done.stderr)
            raise SystemExit(f"{' '.join(command[:4])} … ended with {done.returncode}")
        return done.stdout


def grow(inventory: str) -> None:
    """Do what ``rmqops deploy`` does up to the point where it waits for health, and start nothing."""
    topology = inventories.load(inventory).topology
    artifact = ensure_artifact(topology.version, options=BuildOptions(runtime=True))
    fleet = Fleet(topology)
    plan = deploy.prepare(fleet, topology.instances, artifact)
    with tempfile.TemporaryDirectory() as logs:
        fleet.play(
            "site",
            [change.instance for change in plan.pending],
            Progress(Path(logs, "log"), lambda event: None, lambda text: None),
            variables={
                "rocketmq_archives": deploy.archives(artifact),
                "rocketmq_hands": deploy.representatives(plan),
                "rocketmq_start": False,
            },
            rendered={change.instance.name: files_of(change.instance) for change in plan.pending},
        )


def show(what: str, ours: Sequence[Cost], plain: Sequence[Cost], target: float, hosts: int = 1) -> bool:
    """Print a ratio of medians with what it is made of; return whether the target is met."""
    ratio = _median(ours) / _median(plain)
    processor = statistics.median(cost.processor for cost in ours) / statistics.median(
        cost.processor for cost in plain
    )
    unit = "s" if hosts == 1 else "s a host"
    print(
        f"{what}: {ratio:.2f} (target at most {target:.2f}: {'met' if ratio <= target else 'MISSED'}); "
        f"ours {_list(ours, hosts)} {unit}, plain {_list(plain, hosts)} {unit}; "
        f"processor seconds {processor:.2f} ({_processors(ours)} ÷ {_processors(plain)}); "
        f"load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return ratio <= target


def _median(costs: Sequence[Cost]) -> float:
    return statistics.median(cost.seconds for cost in costs)


def _processors(costs: Sequence[Cost]) -> float:
    return round(statistics.median(cost.processor for cost in costs), 1)


def _list(costs: Sequence[Cost], hosts: int) -> list[float]:
    return [round(cost.seconds / hosts, 2) for cost in costs]


def _groups() -> list[Path]:
    """Return the control groups of the lab's hosts, which count their processor time (version 1 or 2)."""
    engine = "podman" if shutil.which("podman") else "docker"
    label = ["--filter", f"name=rmqops-{NAME}-"]
    names = subprocess.run(
        [engine, "ps", *label, "--format", "{{.Names}}"], check=True, text=True, capture_output=True
    ).stdout.split()
    pids = subprocess.run(
        [engine, "inspect", "--format", "{{.State.Pid}}", *names], check=True, text=True, capture_output=True
    ).stdout.split()
    directories = []
    for pid in pids:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        places = {controller: path for _, controller, path in (line.split(":", 2) for line in lines)}
        old = next((path for controllers, path in places.items() if "cpuacct" in controllers.split(",")), None)
        unified = Path("/sys/fs/cgroup" + places.get("", "").removesuffix("/init.scope"))
        directories.append(Path(f"/sys/fs/cgroup/cpuacct{old}") if old else unified)
    return directories


def _group_seconds(group: Path) -> float:
    old = group / "cpuacct.usage"
    if old.exists():
        return int(old.read_text()) / 1e9
    return int((group / "cpu.stat").read_text().split()[1]) / 1e6


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def deploys(bench: Bench, rounds: int) -> bool:
    """Measure the first and the second deploy to six hosts."""
    bench.up(6)
    first: dict[str, list[Cost]] = {"ours": [], "plain": []}
    second: dict[str, list[Cost]] = {"ours": [], "plain": []}
    ways = {"ours": (bench.ours, bench.remove_ours), "plain": (bench.plain, bench.remove_plain)}
    for number in range(rounds):
        for name in sorted(ways, reverse=number % 2 == 1):
            run, remove = ways[name]
            first[name].append(run())
            second[name].append(run())
            remove()
            _note(f"round {number + 1} {name}: {first[name][-1]}, again {second[name][-1]}")
    met = show("first deploy to six hosts ÷ plain playbook", first["ours"], first["plain"], 0.5)
    return show("second deploy ÷ plain playbook again", second["ours"], second["plain"], 0.25) and met


def growth(bench: Bench, rounds: int, hosts: int) -> bool:
    """Measure the growth from six hosts to that many, and the check of them all."""
    ways = {"ours": bench.grow_ours, "plain": bench.grow_plain}
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    checks: list[Cost] = []
    for number in range(rounds):
        for name in sorted(ways, reverse=number % 2 == 1):
            bench.down()
            bench.up(6)
            ways[name]()
            bench.up(hosts)
            checks = checks or [bench.check() for _ in range(3)]
            costs[name].append(ways[name]())
            _note(f"growth {number + 1} {name}: {costs[name][-1]}")
    met = show(f"growth from 6 to {hosts} hosts ÷ plain playbook", costs["ours"], costs["plain"], 1 / 3, hosts - 6)
    seconds = _median(checks)
    print(
        f"check on {hosts} hosts: {seconds:.1f} s (target at most 10: {'met' if seconds <= 10 else 'MISSED'}); "
        f"{_list(checks, 1)} s, {checks[0].processor:.1f} s of processor; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return seconds <= 10 and met


def main() -> None:
    """Measure and print; the exit code is 1 when a target was missed."""
    if sys.argv[1:2] == [GROW]:
        try:
            return grow(sys.argv[2])
        except OperationFailed as error:
            raise SystemExit(f"{error}\n{error.detail}") from error
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="of the deploys to six hosts")
    parser.add_argument("--growths", type=int, default=1, help="rounds of the growth to 36")
    parser.add_argument("--hosts", type=int, default=36, help="that it grows to, and that are checked")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory(prefix="rmqops-bench-") as directory:
        bench = Bench(Path(directory))
        try:
            met = deploys(bench, chosen.rounds) if chosen.rounds else True
            met = (growth(bench, chosen.growths, chosen.hosts) if chosen.growths else True) and met
        finally:
            bench.down()
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
