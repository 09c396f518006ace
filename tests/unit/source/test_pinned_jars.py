"""Which jars of others a release needs, to the byte, and what becomes of a build that has others."""

from __future__ import annotations

import json
import re
from hashlib import sha256

import pytest

from rmqops.errors import DigestMismatch
from rmqops.model.patch_choice import PatchChoice
from rmqops.model.releases import RELEASES
from rmqops.source import pinned_jars
from rmqops.source.patching import PatchSet, catalogue, chosen
from rmqops.source.pinned_jars import Table, check, expected, identity

from .conftest import VERSION, Workshop

LIBRARY = sorted(patch.name for patch in catalogue() if patch.kind == "library")


def pins(patches: PatchSet) -> dict[str, str]:
    found = expected(patches)
    assert found is not None
    return dict(found)


def test_every_release_and_every_library_patch_is_pinned_and_nothing_else() -> None:
    table = pinned_jars.table()
    assert list(table["releases"]) == list(RELEASES)
    assert sorted(table["patches"]) == LIBRARY
    named = {name for names in table["releases"].values() for name in names}
    named |= {name for each in table["patches"].values() for name in each["added"]}
    assert named == set(table["sha256"])
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in table["sha256"].values())


@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize("without", ["", *LIBRARY])
def test_a_patch_takes_its_old_jars_away_and_brings_its_new_ones(version: str, without: str) -> None:
    published = pins(chosen(version, PatchChoice(plain=True)))
    patches = chosen(version, PatchChoice(without=tuple(filter(None, (without,)))))
    names = set(published)
    for name in set(LIBRARY) & set(patches.names):
        change = pinned_jars.table()["patches"][name]
        assert set(change["removed"]) <= names
        assert not set(change["added"]) & names
        names = names - set(change["removed"]) | set(change["added"])
    assert set(pins(patches)) == names
    assert check(patches, pins(patches)) == identity(patches)


def test_sets_of_pins_are_told_apart() -> None:
    sets = [chosen(version, PatchChoice(plain=plain)) for version in ("4.4.0", "4.5.2") for plain in (True, False)]
    assert len({identity(each) for each in sets}) == len(sets)
    assert identity(PatchSet("9.9.9")) == ""
    assert check(PatchSet("9.9.9"), {"anything.jar": "ab"}) == ""


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ({"fastjson-1.2.83.jar": "ab" * 32}, "fastjson-1.2.83.jar: SHA-256 is abab"),
        ({"fastjson-1.2.83.jar": None}, "fastjson-1.2.83.jar: is not there"),
        ({"fastjson-1.2.51.jar": "ab" * 32}, "fastjson-1.2.51.jar: SHA-256 abab"),
        ({"rocketmq-store-4.5.1.jar": "ab" * 32}, "rocketmq-store-4.5.1.jar: SHA-256 abab"),
        ({"evil-rocketmq-4.5.2.jar": "ab" * 32}, "evil-rocketmq-4.5.2.jar: SHA-256 abab"),
    ],
)
def test_any_other_jar_is_refused_by_name(harm: dict[str, str | None], said: str) -> None:
    patches = chosen("4.5.2")
    jars = pins(patches) | {"rocketmq-store-4.5.2.jar": "built here, so never the same"}
    assert check(patches, jars) == identity(patches)
    spoilt = {name: digest for name, digest in {**jars, **harm}.items() if digest is not None}
    with pytest.raises(DigestMismatch, match="no artifact was made") as caught:
        check(patches, spoilt)
    assert str(caught.value.detail).startswith(said)
    assert len(str(caught.value.detail).splitlines()) == 1
    assert caught.value.exit_code == 1
    assert "~/.m2/repository" in str(caught.value.remedy)


@pytest.fixture
def pinned(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A release of which one jar is pinned, and a Maven that fetches it."""
    table: Table = {
        "sha256": {"other-1.jar": sha256(b"right\n").hexdigest()},
        "releases": {VERSION: ["other-1.jar"]},
        "patches": {},
    }
    monkeypatch.setattr(pinned_jars, "table", lambda: table)
    fetches(workshop, "right")
    return workshop


def fetches(workshop: Workshop, content: str) -> None:
    lib = f"distribution/target/rocketmq-{VERSION}/rocketmq-{VERSION}/lib"
    workshop.write_maven(f"mkdir -p {lib}; echo {content} > {lib}/other-1.jar")


def test_a_build_with_another_jar_leaves_no_artifact(pinned: Workshop) -> None:
    fetches(pinned, "wrong")
    with pytest.raises(DigestMismatch, match="other jars"):
        pinned.build()
    assert [name for name in pinned.left() if not name.startswith("sources/")] == []
    fetches(pinned, "right")
    assert pinned.build().artifact.pins == identity(PatchSet(VERSION))


def test_what_an_older_rmqops_built_is_looked_into_once(pinned: Workshop) -> None:
    artifact = pinned.build().artifact
    (record,) = (pinned.cache.root / "records").iterdir()
    older = json.loads(record.read_text())
    del older["pins"]
    record.write_text(json.dumps(older))
    again = pinned.build()
    assert (again.compiled, again.artifact) == (False, artifact)
    assert json.loads(record.read_text())["pins"] == artifact.pins


def test_what_an_older_rmqops_built_of_another_jar_is_built_again(
    pinned: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetches(pinned, "wrong")
    with monkeypatch.context() as unpinned:
        unpinned.setattr(pinned_jars, "expected", lambda _patches: None)
        assert pinned.build().artifact.pins == ""
    fetches(pinned, "right")
    assert pinned.build().compiled
