"""Draw docs/commands.md from the command line's own help."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

INTRODUCTION = """\
# Commands

Drawn from `rmqops --help` by `scripts/draw_commands.py` (`make docs`).

Exit codes, the same for every command: 0 done or pass; 1 failed or verdict fail; 2 usage; 3 bad inventory or
config; 4 preflight failed; 5 refused as unsafe; 6 inconclusive; 7 heal failed; 130 interrupted. With `--json` the
result stands alone on standard output; messages and progress go to standard error.

Texts of others (names of topics and clients, logs, what hosts say) are shown, never obeyed: what does not
print, escape sequences among it, is written as Python writes it, such as `\\x1b`, also by `exec` and `logs`.
JSON is ASCII and has every text as it is. Any locale will do: what a terminal's encoding lacks is written in
ASCII. Where standard output takes no more, as on a full disk, the exit code is 1 unless it was another one. A
reader that leaves early, such as `head`, changes nothing but that `exec` ends its command on the hosts, with 1,
and `logs` and `chaos history` end with 0.
"""


def help_of(*command: str) -> str:
    """Return the help of a command as plain text of 110 columns."""
    plain = {"COLUMNS": "110", "TERM": "dumb", "NO_COLOR": "1", "_TYPER_FORCE_DISABLE_TERMINAL": "1"}
    environment = {**os.environ, **plain}
    argv = [sys.executable, "-m", "rmqops", *command, "--help"]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    lines = [line.rstrip() for line in done.stdout.strip().splitlines()]
    return "\n".join(lines).replace("python -m rmqops", "rmqops")


def subcommands(package: Path) -> list[str]:
    """Return the commands of a package, as the lazy group finds them."""
    modules = [entry for entry in package.iterdir() if not entry.name.startswith("_")]
    return sorted(entry.stem.replace("_", "-") for entry in modules)


def page() -> str:
    """Return the whole page."""
    commands = Path(__file__).parents[1] / "rmqops" / "cli" / "commands"
    parts = [INTRODUCTION]
    for name in subcommands(commands):
        nested = commands / name.replace("-", "_")
        names = [(name, inner) for inner in subcommands(nested)] if nested.is_dir() else [(name,)]
        parts += [f"## rmqops {' '.join(words)}\n\n```\n{help_of(*words)}\n```\n" for words in names]
    return "\n".join(parts)


def main() -> int:
    """Write the page, or with --check say whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the page is old")
    target = Path(__file__).parents[1] / "docs" / "commands.md"
    drawn = page()
    if parser.parse_args().check:
        return 0 if target.read_text("utf-8") == drawn else 1
    target.write_text(drawn, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
