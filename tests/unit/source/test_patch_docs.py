"""docs/security.md says of each release and CVE what the patches say."""

from __future__ import annotations

from pathlib import Path

from rmqops.model.releases import RELEASES
from rmqops.source.patching import catalogue, chosen

PAGE = Path(__file__).parents[3] / "docs" / "security.md"


def rows(first: str) -> list[list[str]]:
    """Return the rows of the table whose head begins with a word, the head first."""
    lines = PAGE.read_text("utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |"))
    table = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return [table[0], *table[2:]]


def test_every_cve_of_every_patch_has_a_row() -> None:
    known = {cve for patch in catalogue() for cve in patch.cves}
    _, *body = rows("CVE")
    assert known <= {row[0] for row in body}
    assert len({row[0] for row in body}) == len(body)


def test_a_release_is_called_patched_where_a_build_patches_it() -> None:
    head, *body = rows("CVE")
    releases = [cell for cell in head if cell in RELEASES]
    assert releases == list(RELEASES)
    for cve, *cells in body:
        for version, cell in zip(releases, cells, strict=False):
            patched = any(cve in patch.cves for patch in chosen(version).patches)
            assert (cell == "patched") == patched, f"{cve} of {version} is {cell}"
            assert cell in {"patched", "mitigated", "open", "not affected"}
        names = [patch.name for patch in catalogue() if cve in patch.cves]
        assert cells[len(releases)] == ", ".join(names)


def test_what_each_patch_mends_and_costs() -> None:
    _, *body = rows("patch")
    assert body == [[patch.name, patch.mends, patch.costs] for patch in catalogue()]
