"""Drills, again and again, on hosts of a lab: verdicts, RTO, and how long a fault takes to be seen to bite.

    python -m benchmarks.drills_in_a_row                          20 rounds of four drills; an hour or more
    python -m benchmarks.drills_in_a_row --rounds 2 --drills kill-master

A lab of six hosts is made, three NameServers and a DLedger group, and taken away at the end. Each drill is run
once a round, with a seed of its own. Verdicts count as they are; no run may be without one, or inconclusive. The
last line is the median from the inject command to the verified effect, which is to be 150 ms at most. All runs are
kept below ``--runs``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

LAB = "in-a-row"
DRILLS = ("kill-master", "pause-master", "partition-master", "kill-namesrvs")
BOUND_MS = 150


def rmqops(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of rmqops and return how it ended."""
    return subprocess.run(
        [sys.executable, "-m", "rmqops", *arguments], text=True, capture_output=True, check=False
    )


def must(*arguments: str) -> None:
    """Run a command that must work."""
    done = rmqops(*arguments)
    if done.returncode:
        sys.exit(f"rmqops {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")


def run(drill: str, seed: int, runs: Path, options: list[str]) -> dict[str, Any]:
    """Run a drill and return its result; one without a result is told as such."""
    done = rmqops("chaos", "run", drill, "-i", LAB, "--seed", str(seed), "--runs", str(runs), "--json", *options)
    if not done.stdout:
        return {"verdict": f"none, exit code {done.returncode}", "faults": [], "rto_ms": None, "lost": None,
                "checks": {}, "why": done.stderr[-2000:]}  # fmt: skip
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def blame(result: dict[str, Any]) -> str:
    """Say which checks did not pass."""
    reasons = [
        f"{name}: {check['summary']}" for name, check in result["checks"].items() if check["verdict"] != "pass"
    ]
    return "; ".join([*reasons, result.get("why", "")]).strip("; ")


def table(results: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return one line a drill, as Markdown."""
    lines = ["| drill | runs | verdicts | lost | RTO min / median / max |", "|---|---|---|---|---|"]
    for drill, runs in results.items():
        verdicts = ", ".join(f"{count} {word}" for word, count in Counter(run["verdict"] for run in runs).items())
        rto = sorted(run["rto_ms"] / 1000 for run in runs if run["rto_ms"] is not None)
        times = f"{rto[0]:.2f} / {statistics.median(rto):.2f} / {rto[-1]:.2f} s" if rto else "-"
        lost = sum(run["lost"] or 0 for run in runs)
        lines.append(f"| {drill} | {len(runs)} | {verdicts} | {lost} | {times} |")
    return lines


def main() -> None:
    """Measure and print; the exit code is 1 when a run came to no verdict or was inconclusive."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--drills", nargs="+", default=list(DRILLS))
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--rate", default="100", help="messages per second and producer")
    parser.add_argument("--duration", default="15", help="seconds of load besides fail-over and recovery")
    chosen = parser.parse_args()
    results: dict[str, list[dict[str, Any]]] = {drill: [] for drill in chosen.drills}
    options = ["--rate", chosen.rate, "--duration", chosen.duration]
    must("lab", "up", "--name", LAB, "--hosts", "6")
    try:
        must("deploy", "-i", LAB, "--yes")
        for number in range(1, chosen.rounds + 1):
            for drill in chosen.drills:
                result = run(drill, number, chosen.runs, options)
                results[drill].append(result)
                rto = "-" if result["rto_ms"] is None else f"{result['rto_ms'] / 1000:.2f} s"
                print(f"{number:3} {drill:<18} {result['verdict']:<12} RTO {rto:<8} {blame(result)}", flush=True)
    finally:
        must("lab", "down", "--name", LAB)
    bites = [
        1000 * (fault["verified_at"] - fault["injected_at"])
        for runs in results.values()
        for run in runs
        for fault in run["faults"]
        if fault["verified"]
    ]
    print("\n".join(["", *table(results)]))
    if bites:
        median = statistics.median(bites)
        kept = "kept" if median <= BOUND_MS else "BROKEN"
        print(f"inject to verified: median {median:.0f} ms of {len(bites)}, bound {BOUND_MS} ms: {kept}")
    words = {run["verdict"] for runs in results.values() for run in runs}
    sys.exit(0 if words <= {"pass", "fail"} else 1)


if __name__ == "__main__":
    main()
