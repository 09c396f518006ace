"""Each release of the table: what is validated, rendered and said of it; nothing else decides by a version."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from rmqops.chaos.suite import model as suite_model
from rmqops.model import releases
from rmqops.model.releases import CLIENT, DEFAULT_VERSION, OLDEST_JAVA, RELEASES, Release, assumed
from rmqops.model.topology import Mode, Topology
from rmqops.operations import inventories
from rmqops.operations.plan import trees
from rmqops.source.java_api import NEEDS_NO_HELP
from tests.unit.model.conftest import REMOVED, edited, load, problems

ROOT: Final = Path(__file__).parents[3]
GROUPS: Final[dict[Mode, str]] = {"dledger": "alpha", "master-slave": "pair", "single": "lone"}
"""The group of each mode in the inventory that is edited."""
MATRIX: Final = [(release, mode) for release in RELEASES.values() for mode in release.modes]
KEYS: Final = inventories.reference().config_keys


def by_version(value: object) -> str:
    return value.version if isinstance(value, Release) else str(value)


def inventory(release: Release, mode: Mode) -> str:
    """Return an inventory of one group, with files of a small size."""
    others = {group: REMOVED for other, group in GROUPS.items() if other != mode}
    sizes = {release.commit_log_size_key: 67108864, release.queue_size_key: 600000}
    return edited(
        "fleet",
        {
            "vars.rocketmq_version": release.version,
            "children.brokers.vars": {"rocketmq_config": sizes},
            **{f"children.brokers.children.{group}": value for group, value in others.items()},
        },
    )


def rendered(topology: Topology) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the kind and the configuration of each instance."""
    for instance in topology.instances:
        tree = {file.path: file.content for file in trees.tree(instance)}
        name = "broker.p" if instance.kind == "broker" else "namesrv.p"
        lines = [line for line in tree[f"conf/{name}"].splitlines() if line and not line.startswith("#")]
        yield instance.kind, dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize(("release", "mode"), MATRIX, ids=by_version)
def test_each_mode_of_a_release_is_valid_and_rendered_with_its_own_keys(release: Release, mode: Mode) -> None:
    topology, warnings = load(inventory(release, mode))
    assert warnings == ()
    assert (topology.version, [group.mode for group in topology.groups]) == (release.version, [mode])
    for kind, settings in rendered(topology):
        assert set(settings) <= set(KEYS[release.version][kind]), kind  # type: ignore[index]
        assert kind == "namesrv" or settings[release.commit_log_size_key] == "67108864"


@pytest.mark.parametrize(("release", "mode"), MATRIX, ids=by_version)
def test_what_mends_a_known_bug_is_rendered(release: Release, mode: Mode) -> None:
    topology, _ = load(inventory(release, mode))
    for kind, settings in rendered(topology):
        if kind == "broker":
            for bug in release.bugs:
                assert mode not in bug.modes or bug.settings <= set(settings), bug.issue


@pytest.mark.parametrize("release", RELEASES.values(), ids=by_version)
def test_a_mode_that_a_release_lacks_is_refused(release: Release) -> None:
    for mode in set(GROUPS) - set(release.modes):
        errors = [problem for problem in problems(inventory(release, mode)) if problem.severity == "error"]
        assert {problem.key for problem in errors} == {"rocketmq_version"}


@pytest.mark.parametrize("release", RELEASES.values(), ids=by_version)
def test_an_entry_agrees_with_the_keys_of_its_sources(release: Release) -> None:
    broker = KEYS[release.version]["broker"]
    assert {release.commit_log_size_key, release.queue_size_key} <= set(broker)
    assert ("enableDLegerCommitLog" in broker) is ("dledger" in release.modes)
    assert re.fullmatch(r"[0-9a-f]{128}", release.sha512)
    assert all(bug.ends_in is None or _number(release.version) < _number(bug.ends_in) for bug in release.bugs)
    assert all(set(bug.modes) & set(release.modes) for bug in release.bugs)


@pytest.mark.parametrize("release", RELEASES.values(), ids=by_version)
def test_the_builder_can_compile_for_the_oldest_java_of_a_release(release: Release) -> None:
    assert release.oldest_java == NEEDS_NO_HELP, "rmqops.source.java_api knows the interface of Java 8 alone"


def test_the_table_is_in_order_and_each_entry_is_its_own() -> None:
    ordered = sorted(RELEASES.values(), key=lambda release: _number(release.version))
    assert list(RELEASES.values()) == ordered
    codes = [release.version_code for release in ordered]
    assert codes == sorted(set(codes))
    assert len({release.sha512 for release in ordered}) == len(ordered)
    assert DEFAULT_VERSION in RELEASES
    assert "dledger" in RELEASES[DEFAULT_VERSION].modes
    assert inventories.reference().schema.defaults["rocketmq_version"] == DEFAULT_VERSION
    assert {CLIENT.version_code, OLDEST_JAVA} == {317, 8}


def test_a_release_that_is_not_known_is_taken_for_the_newest() -> None:
    assert assumed("9.9.9") is list(RELEASES.values())[-1]
    assert all(assumed(version) is release for version, release in RELEASES.items())


def test_each_reported_bug_stands_in_the_docs() -> None:
    text = (ROOT / "docs" / "known-issues.md").read_text("utf-8")
    issues = {bug.issue for release in RELEASES.values() for bug in release.bugs if bug.issue}
    assert sorted(issue for issue in issues if issue not in text) == []


def test_each_release_that_a_suite_speaks_of_is_known() -> None:
    for name in suite_model.names():
        claims = suite_model.find(name).rows
        assert {claim.release for claim in claims if claim.release} <= set(RELEASES)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


VERSION: Final = re.compile(r"\d+\.\d+\.\d+|V\d+_\d+_\d+")
PREFIX: Final = re.compile(r"[45]\.(\d+\.?)?|V[45]_(\d+_?)?")
"""What a version of RocketMQ begins with."""


def decisions(text: str, *, test: bool = False) -> Iterator[int]:
    """Yield the lines of a module that decide by a version's text.

    That is a comparison, a membership or a pattern with such a literal, a look-up by it, or a question for how a
    text begins.

    Args:
        text: The module.
        test: It is one of a test, which may look at the entry of a release; what an ``assert`` compares does not
            decide anything.
    """
    tree = ast.parse(text)
    asserted = {
        id(node)
        for statement in ast.walk(tree)
        if isinstance(statement, ast.Assert) and test
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) not in asserted and (_compares(node) or (not test and _looks_up(node))):
            yield node.lineno  # type: ignore[attr-defined]


def _compares(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        return any(map(_names_version, [node.left, *node.comparators]))
    if isinstance(node, ast.MatchValue):
        return _names_version(node.value)
    return _calls(node, {"startswith", "removeprefix"}, PREFIX)


def _looks_up(node: ast.AST) -> bool:
    if isinstance(node, ast.Subscript):
        return _names_version(node.slice)
    if isinstance(node, ast.Dict):
        return any(_names_version(key) for key in node.keys if key is not None)
    return _calls(node, {"get", "index", "count"}, VERSION)


def _calls(node: ast.AST, methods: set[str], pattern: re.Pattern[str]) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in methods
        and any(_matches(each, pattern) for each in node.args)
    )


def _names_version(node: ast.expr) -> bool:
    elements = node.elts if isinstance(node, ast.Set | ast.Tuple | ast.List) else [node]
    return any(_matches(element, VERSION) for element in elements)


def _matches(node: ast.expr, pattern: re.Pattern[str]) -> bool:
    elements = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(
        isinstance(element, ast.Constant)
        and isinstance(element.value, str)
        and pattern.fullmatch(element.value) is not None
        for element in elements
    )


@pytest.mark.parametrize(
    "text",
    [
        'x = "maped" if version in {"4.4.0", "4.5.0"} else "mapped"',
        'if version == "4.5.2": pass',
        'if "4.5.2" != release.version: pass',
        'x = version.startswith("4.5")',
        'x = version.startswith(("4.4.", "4.5."))',
        'x = version >= "5.0.0"',
        'x = described.startswith("V4_5")',
        'x = RELEASES["4.5.2"].sha512',
        'x = {"4.4.0": "maped"}[version]',
        'x = SPELLINGS.get("4.4.0")',
        'match version:\n    case "4.4.0" | "4.5.0":\n        pass',
    ],
)
def test_a_decision_by_a_version_is_seen(text: str) -> None:
    assert list(decisions(text))


@pytest.mark.parametrize(
    "text",
    [
        'x = "4.5.2"',
        'x = address == "127.0.0.1"',
        'x = f"RocketMQ {version}"',
        "x = sys.version_info[:2]",
        'x = text.startswith("4")',
        "x = RELEASES[version].commit_log_size_key",
    ],
)
def test_what_is_no_decision_is_none(text: str) -> None:
    assert not list(decisions(text))


@pytest.mark.parametrize("room", ["rmqops", "scripts", "benchmarks", "roles", "tests"])
def test_nothing_but_the_table_decides_by_a_version(room: str) -> None:
    paths = [path for path in sorted((ROOT / room).rglob("*.py")) if path != Path(releases.__file__)]
    assert paths
    deciding = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in paths
        for line in decisions(path.read_text("utf-8"), test=room == "tests")
    ]
    assert deciding == [], "ask rmqops.model.releases instead"
