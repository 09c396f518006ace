"""What is drawn from the code is drawn from this code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_commands_page_is_up_to_date() -> None:
    argv = [sys.executable, str(ROOT / "scripts" / "draw_commands.py"), "--check"]
    assert subprocess.run(argv, check=False).returncode == 0, "run: make docs"


def test_no_link_between_pages_is_broken() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.relative_to(ROOT)} links to {link}"
