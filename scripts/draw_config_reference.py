#!/usr/bin/env python3
"""Draw docs/config-keys.md: every key of RocketMQ's configuration, its default, and what is checked of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rmqops.model.cluster import Reference  # noqa: E402
from rmqops.model.config_checks import Combination, Condition, KeyCheck  # noqa: E402
from rmqops.model.config_keys import CLASSES, ConfigKey, ConfigKeys  # noqa: E402
from rmqops.model.topology import Kind  # noqa: E402
from rmqops.operations import inventories  # noqa: E402

OUT = ROOT / "docs" / "config-keys.md"
_TITLES: dict[Kind, str] = {"broker": "Brokers", "namesrv": "NameServers"}
INTRODUCTION = """\
# RocketMQ's own keys

<!-- Drawn by scripts/draw_config_reference.py (`make docs`): change rmqops/model/config_checks.json instead. -->

What `rocketmq_config` of an inventory takes. RocketMQ drops a key that it does not know and a value that does not
convert; others it parses long after it has started, and then swallows or dies of them. `rmqops validate` refuses
those, and warns of what does nothing, where it is not the default. The keys are drawn from the sources of the
releases (`scripts/draw_config_keys.py`), the checks are from the code that uses each key (the last column: class
and method). Where no default is given, the source computes it.

Keys that not every release has:

{differences}
"""
TOGETHER = """\
## Values that must go together

| keys | rule | what happens otherwise | source |
|---|---|---|---|
"""


def main() -> None:
    """Write the page."""
    OUT.write_text(draw(), "utf-8")


def draw() -> str:
    """Return the page."""
    reference = inventories.reference()
    differences = "\n".join(_differences(reference.config_keys))
    lines = [INTRODUCTION.replace("{differences}", differences)]
    for kind, title in _TITLES.items():
        lines += [f"## {title}\n", *_tables(reference, kind)]
    lines.append(TOGETHER + "\n".join(map(_together, reference.config_checks.together)))
    return "\n".join(lines) + "\n"


def _differences(keys: ConfigKeys) -> Iterator[str]:
    everywhere = {
        version: {name for kind in programs.values() for name in kind} for version, programs in keys.items()
    }
    common = set.intersection(*everywhere.values())
    for name in sorted(set.union(*everywhere.values()) - common):
        yield f"- `{name}`: {', '.join(version for version, names in everywhere.items() if name in names)}"


def _tables(reference: Reference, kind: Kind) -> Iterator[str]:
    known: dict[str, ConfigKey] = {}
    newest: dict[str, str] = {}
    for version, programs in reference.config_keys.items():
        known |= programs[kind]
        newest |= dict.fromkeys(programs[kind], version)
    for owner in CLASSES[kind]:
        yield f"### {owner}\n"
        yield "| key | type | default | checked | what a wrong value does, or why there is none | source |"
        yield "|---|---|---|---|---|---|"
        for name in sorted(set(reference.config_checks.keys.get(owner, {})) & set(known)):
            check = reference.config_checks.of(newest[name], kind, name)
            if check is not None:
                yield _row(known[name], check)
        yield ""


def _row(key: ConfigKey, check: KeyCheck) -> str:
    typed = " or ".join(f"`{choice}`" for choice in key.choices) or key.type
    default = f"`{key.default}`" if key.default else ""
    cells = [f"`{key.name}`", typed, default, _checked(check), check.effect, f"`{check.source}`"]
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _checked(check: KeyCheck) -> str:
    parts = []
    if check.kind == "own":
        parts.append(f"written by rmqops: {check.remedy[0].lower()}{check.remedy[1:]}")
    elif check.kind == "only":
        allowed = " or ".join(f"`{value}`" if value else "nothing" for value in check.values)
        parts.append(f"only {allowed}: {check.remedy[0].lower()}{check.remedy[1:]}")
    elif check.kind != "none":
        parts.append(f"{check.wanted[0].lower()}{check.wanted[1:]}")
    parts += [f"warned of when it does nothing: {idle.because}" for idle in check.idle]
    if check.same:
        parts.append(f"the same in a group: {check.same}")
    return "; ".join(parts) or "its type alone"


def _together(combination: Combination) -> str:
    severity = "warned of" if combination.severity == "warning" else "refused"
    rule = f"{combination.says}{_when(combination.when)}; {severity}"
    keys = ", ".join(f"`{key}`" for key in combination.keys)
    return f"| {keys} | {_cell(rule)} | {_cell(combination.effect)} | `{combination.source}` |"


def _when(condition: Condition) -> str:
    words = " and ".join(f"`{name}` {' or '.join(values)}" for name, values in condition.items())
    return f" (with {words})" if words else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main()
