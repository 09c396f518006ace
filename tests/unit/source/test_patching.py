"""Which patches a build takes, and what becomes of an artifact that has them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rmqops.errors import SourceError, UsageError
from rmqops.model.patch_choice import PatchChoice
from rmqops.model.releases import RELEASES
from rmqops.source import patching
from rmqops.source.patching import Patch, PatchSet, catalogue, chosen

from .conftest import VERSION, Workshop

TEXT = """Mends: a thing
Kind: {kind}
CVE: {cve}
Releases: 9.9.9 9.9.8
Costs: nothing

Why.

--- a/pom.xml
+++ b/pom.xml
@@ -1 +1 @@
-<project/>
+<project>{name}</project>
"""


def patch(name: str, kind: str = "security", cve: str = "CVE-2000-1 CVE-2000-2") -> Patch:
    return patching.read(name, TEXT.format(kind=kind, cve=cve, name=name).encode())


ONE = patch("one")
TASTE = patch("taste", "behaviour", "none")


def test_a_head_is_read() -> None:
    assert (ONE.mends, ONE.kind, ONE.cves, ONE.default) == (
        "a thing",
        "security",
        ("CVE-2000-1", "CVE-2000-2"),
        True,
    )
    assert ONE.releases == ("9.9.9", "9.9.8")
    assert (TASTE.cves, TASTE.default) == ((), False)
    assert ONE.diff.startswith(b"--- a/pom.xml\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [("Kind: security", "Kind: whim"), ("Costs: nothing", "Price: nothing"), ("--- a/pom.xml", "no diff")],
)
def test_a_head_or_diff_that_is_not_understood_is_refused(old: str, new: str) -> None:
    with pytest.raises(ValueError, match=r"not understood|changes no file"):
        patching.read("one", TEXT.format(kind="security", cve="none", name="x").replace(old, new).encode())


def test_security_is_taken_unless_told_otherwise_and_taste_when_asked_for() -> None:
    both = (TASTE, ONE)
    assert chosen(VERSION, patches=both).names == ("one",)
    assert chosen(VERSION, PatchChoice(("taste",)), patches=both).names == ("one", "taste")
    assert chosen(VERSION, PatchChoice(("taste",), ("one",)), patches=both).names == ("taste",)
    assert chosen(VERSION, PatchChoice(plain=True), patches=both).names == ()
    assert chosen("9.9.7", patches=both).names == ()


@pytest.mark.parametrize(
    ("choice", "version", "said"),
    [
        (PatchChoice(without=("nobody",)), VERSION, "there is no patch nobody"),
        (PatchChoice(("nobody",)), VERSION, "there is no patch nobody"),
        (PatchChoice(("taste",), plain=True), VERSION, "plain takes no patch at all"),
        (PatchChoice(("taste",), ("taste",)), VERSION, "both name taste"),
        (PatchChoice(without=("one",)), "9.9.7", "is for 9.9.9, 9.9.8, not for 9.9.7"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(choice: PatchChoice, version: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        chosen(version, choice, patches=(ONE, TASTE))


def test_every_byte_of_a_patch_tells_sets_apart() -> None:
    sets = [
        PatchSet(VERSION),
        PatchSet(VERSION, (ONE,)),
        PatchSet(VERSION, (patching.read("one", ONE.text.replace(b"Why.", b"Why!")),)),
        PatchSet(VERSION, (patching.read("two", ONE.text),)),
        PatchSet(VERSION, (ONE, TASTE)),
    ]
    assert sets[0].identity == ""
    assert len({each.identity for each in sets}) == len(sets)


def test_labels() -> None:
    known = chosen("4.5.2")
    assert known.label == "hardened"
    assert PatchSet("4.5.2", (*known.patches, TASTE)).label == "hardened"
    assert chosen("4.5.2", PatchChoice(without=("netty",))).label == "patched"
    assert chosen("4.5.2", PatchChoice(plain=True)).label == ""


def test_every_shipped_patch_is_whole() -> None:
    assert catalogue()
    for each in catalogue():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", each.name)
        assert each.mends
        assert each.costs
        assert set(each.releases) <= set(RELEASES)
        assert all(re.fullmatch(r"CVE-\d{4}-\d{4,}", cve) for cve in each.cves)
        assert each.kind != "library" or each.cves
        assert len(each.text.decode("ascii").partition("\n--- ")[0].split("\n\n")) >= 2, "it does not say why"


def test_every_release_with_patches_has_the_known_holes_closed() -> None:
    for version in {version for each in catalogue() for version in each.releases}:
        cves = {cve for each in chosen(version).patches for cve in each.cves}
        assert {"CVE-2019-17572", "CVE-2023-33246", "CVE-2023-37582", "CVE-2022-25845"} <= cves


def test_a_patch_that_does_not_fit_names_itself_the_file_and_the_release(tmp_path: Path) -> None:
    (tmp_path / "pom.xml").write_text("<other/>\n")
    with pytest.raises(SourceError) as caught:
        patching.apply(PatchSet(VERSION, (ONE,)), tmp_path)
    assert "the patch one does not fit RocketMQ 9.9.9: pom.xml: " in caught.value.message
    assert "--without one" in str(caught.value.remedy)


@pytest.fixture
def lined(workshop: Workshop) -> Workshop:
    """A release with a file of one line, which its Maven brings where a test can look at it."""
    workshop.write_zip(**{"rocketmq-all-9.9.9/extra": "<project/>\n"})
    workshop.write_maven(f"cp extra {workshop.root}/seen")
    return workshop


def extra_patch(name: str) -> PatchSet:
    return PatchSet(VERSION, (patching.read(name, ONE.text.replace(b"pom.xml", b"extra")),))


def test_a_build_with_patches_is_another_artifact(lined: Workshop) -> None:
    plain = lined.build().artifact
    assert (lined.root / "seen").read_text() == "<project/>\n"
    outcome = lined.build(patches=extra_patch("one"))
    patched = outcome.artifact
    assert outcome.compiled
    assert (lined.root / "seen").read_text() == "<project>one</project>\n"
    assert patched.patches == ("one",)
    assert patched.name == f"rocketmq-{VERSION}-hardened-{patched.digest[:16]}"
    assert plain.patches == ()
    assert plain.name == f"rocketmq-{VERSION}-{plain.digest[:16]}"
    assert lined.build(patches=extra_patch("two")).compiled
    assert lined.build(patches=extra_patch("one")).artifact == patched
    assert lined.build().artifact == plain
    assert len(lined.maven_calls) == 3
    assert ("patch", "one") in [(step.stage, step.message) for step in lined.seen]


def test_an_artifact_of_before_there_were_patches_is_built_again(lined: Workshop) -> None:
    lined.build(patches=extra_patch("one"))
    (record,) = (lined.cache.root / "records").iterdir()
    fields = {**json.loads(record.read_text()), "format": 2}
    del fields["patches"], fields["patch_set"]
    record.write_text(json.dumps(fields))
    assert lined.build(patches=extra_patch("one")).compiled


def test_a_patch_that_does_not_fit_ends_the_build_before_maven(lined: Workshop) -> None:
    wrong = PatchSet(VERSION, (patching.read("wrong", ONE.text.replace(b"pom.xml", b"absent")),))
    with pytest.raises(SourceError, match=r"the patch wrong does not fit RocketMQ 9\.9\.9: absent: it is not"):
        lined.build(patches=wrong)
    assert lined.maven_calls == []
    assert [name for name in lined.left() if not name.startswith("sources/")] == []


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "rmqops", "build", *arguments]
    return subprocess.run(argv, env=dict(os.environ), capture_output=True, text=True, check=False)


def test_the_list_of_patches() -> None:
    listed = json.loads(command("--patches", "--json").stdout)
    assert [each["name"] for each in listed] == [each.name for each in catalogue()]
    assert set(listed[0]) == {"name", "mends", "kind", "cves", "releases", "default", "costs", "sha256"}
    table = command("--patches").stdout
    assert all(each.name in table for each in catalogue())


def test_a_wrong_name_is_a_usage_error() -> None:
    done = command("--without", "nobody")
    assert done.returncode == 2
    assert "there is no patch nobody" in done.stderr
    assert "topic-names" in done.stderr
