"""Measure all checks over a history: seconds, processor seconds and peak memory of the whole process.

    python benchmarks/checks_speed.py                  100,000 and 1,000,000 operations
    python benchmarks/checks_speed.py --ten            10,000,000 as well: 5.5 GB of history, minutes to write
    python benchmarks/checks_speed.py --plain          the baseline too, up to 1,000,000 operations
    python benchmarks/checks_speed.py --operations 50000 --runs 3

What is measured is ``rmqops chaos check RUN --json`` from start to end, from ``history.jsonl`` and nothing
else: no columns are kept between runs. An operation is one completed send (see ``make_history.py``); each
brings six events with it: its invoke and outcome, a consumer's read, and the read-back of three members.
Memory is the peak resident set that the kernel counted for the child (``ru_maxrss``). The best of several runs
is printed, because other processes can only make it worse, and the share of the machine that the child got, so
that a reader sees how quiet it was.

The baseline is ``plain_checks.py``, dicts and lists in Python, over the same file. It has the message checks
only.
The bounds are those of the project: 4 s and 300 MB for 1,000,000 operations, 40 s and 1 GB for 10,000,000.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.make_history import Shape, write
from rmqops.chaos.history.format import FILE

BOUNDS = {1_000_000: (4.0, 300.0), 10_000_000: (40.0, 1024.0)}
CHECKS = ["-m", "rmqops", "chaos", "check"]
PLAIN = """
import sys
from pathlib import Path
from benchmarks.plain_checks import find
from rmqops.chaos.history.lines import events
findings = find(events(Path(sys.argv[1])))
print(len(findings.acknowledged), len(findings.lost), len(findings.recovered))
"""


@dataclass(frozen=True)
class Cost:
    """What one run of one process took."""

    seconds: float
    processor: float
    megabytes: float
    exit_code: int


def measure(arguments: list[str]) -> Cost:
    """Run Python with these arguments, its output thrown away."""
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.execv(sys.executable, [sys.executable, *arguments])
    _, status, used = os.wait4(child, 0)
    seconds = time.monotonic() - begin
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, os.waitstatus_to_exitcode(status))


def best(arguments: list[str], runs: int) -> Cost:
    """Return the fastest run, with the largest memory of any."""
    costs = [measure(arguments) for _ in range(runs)]
    fastest = min(costs, key=lambda cost: cost.seconds)
    worst = max(cost.megabytes for cost in costs)
    return Cost(fastest.seconds, fastest.processor, worst, max(cost.exit_code for cost in costs))


def report(name: str, cost: Cost, bound: tuple[float, float] | None = None) -> bool:
    """Print one line; return whether the bound was kept."""
    kept = cost.exit_code == 0 and (bound is None or (cost.seconds <= bound[0] and cost.megabytes <= bound[1]))
    word = "kept" if kept else "BROKEN"
    judged = "" if bound is None else f"   bound {bound[0]:g} s {bound[1]:g} MB: {word}"
    print(
        f"  {name:<6} {cost.seconds:7.2f} s  {cost.processor:7.2f} s of processor"
        f"  {cost.megabytes:7.0f} MB  exit {cost.exit_code}{judged}",
        flush=True,
    )
    return kept


def compare(operations: int, runs: int, plain: bool, place: Path) -> bool:
    """Write one history, measure, and remove it."""
    history = place / FILE
    lines = write(Shape(operations, commits=True), history)
    print(f"{operations:,} operations: {lines:,} lines, {history.stat().st_size / 1e6:,.0f} MB", flush=True)
    ours = best([*CHECKS, str(place), "--json"], runs)
    kept = report("checks", ours, BOUNDS.get(operations))
    if plain:
        baseline = best(["-c", PLAIN, str(history)], 1)
        report("plain", baseline)
        print(
            f"  checks ÷ plain: {ours.seconds / baseline.seconds:.3f} of the time,"
            f" {ours.megabytes / baseline.megabytes:.3f} of the memory"
        )
    history.unlink()
    return kept


def main() -> None:
    """Read the command line and measure; the exit code is 1 when a bound was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--ten", action="store_true")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--directory", type=Path, default=None, help="where the histories are written")
    chosen = parser.parse_args()
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}")
    kept = True
    with tempfile.TemporaryDirectory(dir=chosen.directory) as place:
        for operations in [*chosen.operations, *([10_000_000] if chosen.ten else [])]:
            plain = chosen.plain and operations <= 1_000_000
            kept &= compare(operations, chosen.runs if operations < 10_000_000 else 1, plain, Path(place))
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
