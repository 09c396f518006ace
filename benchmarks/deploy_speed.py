"""Deploy, deploy again and status, each against its named baseline, in one run.

- first deploy of ``local`` (artifact built) to healthy ÷ ``baseline_start.sh``, which starts the same six JVMs
  from files that lie ready and polls until the route is complete; rounds alternate, medians count. At most 1.5.
- a deploy with nothing to do. At most 4 s.
- ``rmqops status --json`` ÷ ``mqadmin clusterList``, alternating. At most 0.1.

Needs the ports of ``inventory/local``; everything lies in a temporary directory and is destroyed at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rmqops.model.releases import DEFAULT_VERSION

HERE = Path(__file__).parent
OPENED = [f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in ("java.nio", "sun.nio.ch", "java.lang")]
"""What the official tool needs on Java 9 and later; Java 8 does not know the option."""
NAMESERVERS = "127.0.0.1:9876;127.0.0.1:9877;127.0.0.1:9878"


class Bench:
    """One cluster in a temporary home."""

    def __init__(self, home: Path) -> None:
        # As pip leaves it to a user: compiled once, not at every start.
        compiled = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        self.archive = Path(json.loads(self._run(["build", "--json"], compiled).stdout)["path"])
        # The inventory puts the cluster below HOME; the build's cache stays where it is.
        self.environment = {**compiled, "HOME": str(home), "RMQOPS_CACHE": str(self.archive.parents[1])}
        self.base = home / ".local/share/rmqops/local"

    def _run(self, arguments: Sequence[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "rmqops", *arguments]
        return subprocess.run(argv, env=environment, check=True, text=True, stdout=subprocess.PIPE)

    def rmqops(self, *arguments: str) -> float:
        """Run a command and return its seconds."""
        started = time.monotonic()
        self._run([*arguments, "--inventory", "local"], self.environment)
        return time.monotonic() - started

    def destroy(self) -> None:
        """Remove the cluster whole."""
        self.rmqops("destroy", "--data", "--confirm", "local")

    def baseline(self) -> float:
        """Lay the files ready, then time the start."""
        rendered = self.base.parent / "rendered"
        self.rmqops("render", "--out", str(rendered))
        for directory in rendered.iterdir():
            if directory.is_dir():
                shutil.copytree(directory, self.base / "instances" / directory.name / "current")
        (self.base / "releases").mkdir()
        subprocess.run(["tar", "-xzf", str(self.archive), "-C", str(self.base / "releases")], check=True)
        started = time.monotonic()
        argv = [str(HERE / "baseline_start.sh"), str(self.base), sys.executable, "local"]
        subprocess.run(argv, env=self.environment, check=True)
        seconds = time.monotonic() - started
        for instance in sorted((self.base / "instances").iterdir()):
            subprocess.run([str(instance / "current/bin/stop.sh")], check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(self.base)
        return seconds

    def mqadmin(self) -> float:
        """Time the official tool's list of the cluster; its class, because its script needs Java 8."""
        release = self.base / f"releases/rocketmq-{DEFAULT_VERSION}"
        argv = ["java", "-server", "-Xms1g", "-Xmx1g", "-Xmn256m", f"-Drocketmq.home.dir={release}", *OPENED]
        argv += ["-cp", f"{release}/conf:{release}/lib/*", "org.apache.rocketmq.tools.command.MQAdminStartup"]
        started = time.monotonic()
        subprocess.run(
            [*argv, "clusterList", "-n", NAMESERVERS], env=self.environment, check=True, capture_output=True
        )
        return time.monotonic() - started


def show(what: str, ours: list[float], theirs: list[float], target: float) -> None:
    """Print a ratio of medians with what it is made of."""
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(
        f"{what}: {ratio:.2f} (target at most {target}); ours {[round(value, 2) for value in ours]} s, "
        f"baseline {[round(value, 2) for value in theirs]} s"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="rmqops-bench-") as home:
        bench = Bench(Path(home))
        deploys, baselines = [], []
        for _ in range(rounds):
            deploys.append(bench.rmqops("deploy", "--yes"))
            bench.destroy()
            baselines.append(bench.baseline())
        show("first deploy ÷ plain start", deploys, baselines, 1.5)
        bench.rmqops("deploy", "--yes")
        try:
            again = [bench.rmqops("deploy", "--yes") for _ in range(rounds)]
            print(f"deploy with nothing to do: {[round(value, 2) for value in again]} s (target at most 4)")
            status, mqadmin = [], []
            for _ in range(max(rounds, 5)):
                status.append(bench.rmqops("status", "--json"))
                mqadmin.append(bench.mqadmin())
            show("status ÷ mqadmin clusterList", status, mqadmin, 0.1)
        finally:
            bench.destroy()


if __name__ == "__main__":
    main()
