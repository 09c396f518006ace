"""The bill of materials, held to what CycloneDX 1.5 (ECMA-424) asks of one."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rmqops.source import bill
from rmqops.source.artifacts import Artifact
from rmqops.source.bill import Coordinates
from rmqops.source.patching import PatchSet, chosen

ARTIFACT = Artifact(
    version="4.5.2",
    name="rocketmq-4.5.2-hardened-0123456789abcdef",
    path=Path("/cache/artifacts/rocketmq-4.5.2-hardened-0123456789abcdef.tar.gz"),
    digest="ab" * 32,
    size=1,
    source_sha512="cd" * 64,
    jdk="17.0.1",
    oldest_java=8,
    built="2026-01-01T00:00:00+00:00",
    log=Path("/cache/logs/a.log"),
)
DIGITS = {"SHA-256": 64, "SHA-512": 128}


def write_jar(path: Path, *inside: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
        for each in inside:
            group, name, version = each.split(":")
            text = f"#Generated\ngroupId={group}\r\nartifactId = {name}\nversion={version}\n"
            jar.writestr(f"META-INF/maven/{group}/{name}/pom.properties", text)
    return path


@pytest.fixture
def distribution(tmp_path: Path) -> Path:
    write_jar(tmp_path / "lib/fastjson-1.2.83.jar", "com.alibaba:fastjson:1.2.83")
    write_jar(
        tmp_path / "lib/netty-common-4.1.1.Final.jar",
        "org.jctools:jctools:4.0",
        "io.netty:netty-common:4.1.1.Final",
    )
    write_jar(tmp_path / "lib/jna-4.2.2.jar")
    return tmp_path


def written(distribution: Path, patches: PatchSet) -> dict[str, Any]:
    return dict(json.loads(bill.written(ARTIFACT, distribution, patches)))


def check_component(component: dict[str, Any]) -> None:
    assert component["type"] in {"application", "library"}
    assert component["name"]
    assert component["version"]
    assert re.fullmatch(r"pkg:(maven/[^/@]+|generic)/[^/@]+@[^@/]+", component["purl"])
    for each in component.get("hashes", []):
        assert re.fullmatch(rf"[0-9a-f]{{{DIGITS[each['alg']]}}}", each["content"])
    for each in component.get("properties", []):
        assert set(each) == {"name", "value"}
        assert all(isinstance(value, str) for value in each.values())
    for each in component.get("components", []):
        check_component(each)


def test_a_bill_is_what_the_standard_asks_for(distribution: Path) -> None:
    told = written(distribution, chosen("4.5.2"))
    assert (told["bomFormat"], told["specVersion"], told["version"]) == ("CycloneDX", "1.5", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", told["serialNumber"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", told["metadata"]["timestamp"])
    root = told["metadata"]["component"]
    for component in (root, *root["pedigree"]["ancestors"], *told["components"]):
        check_component(component)
    refs = [component["bom-ref"] for component in (root, *told["components"])]
    assert len(set(refs)) == len(refs)
    assert told["dependencies"] == [{"ref": refs[0], "dependsOn": refs[1:]}]


def test_every_jar_is_named_with_its_digest(distribution: Path) -> None:
    told = {
        component["bom-ref"]: component for component in written(distribution, PatchSet("4.5.2"))["components"]
    }
    assert {ref: component["purl"] for ref, component in told.items()} == {
        "lib/fastjson-1.2.83.jar": "pkg:maven/com.alibaba/fastjson@1.2.83",
        "lib/jna-4.2.2.jar": "pkg:maven/net.java.dev.jna/jna@4.2.2",
        "lib/netty-common-4.1.1.Final.jar": "pkg:maven/io.netty/netty-common@4.1.1.Final",
    }
    for ref, component in told.items():
        content = (distribution / ref).read_bytes()
        assert component["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(content).hexdigest()}]
    (inside,) = told["lib/netty-common-4.1.1.Final.jar"]["components"]
    assert inside["purl"] == "pkg:maven/org.jctools/jctools@4.0"


def test_the_patches_are_its_pedigree(distribution: Path) -> None:
    patches = chosen("4.5.2")
    root = written(distribution, patches)["metadata"]["component"]
    assert root["hashes"] == [{"alg": "SHA-256", "content": ARTIFACT.digest}]
    assert root["pedigree"]["ancestors"][0]["hashes"][0]["content"] == ARTIFACT.source_sha512
    for told, patch in zip(root["pedigree"]["patches"], patches.patches, strict=True):
        assert told["type"] == "unofficial"
        assert base64.b64decode(told["diff"]["text"]["content"]) == patch.diff
        assert told["diff"]["text"]["encoding"] == "base64"
        assert {issue["id"] for issue in told["resolves"]} == set(patch.cves or (patch.name,))
        assert {issue["type"] for issue in told["resolves"]} == {"security"}
    told_digests = {each["name"]: each["value"] for each in root["properties"]}
    assert all(told_digests[f"rmqops:patch:{patch.name}"] == patch.sha256 for patch in patches.patches)


def test_a_plain_release_has_no_patches(distribution: Path) -> None:
    assert written(distribution, PatchSet("4.5.2"))["metadata"]["component"]["pedigree"]["patches"] == []


def test_the_bill_lies_beside_the_archive() -> None:
    assert ARTIFACT.bill == Path("/cache/artifacts/rocketmq-4.5.2-hardened-0123456789abcdef.cdx.json")


@pytest.mark.parametrize(
    ("name", "inside", "expected"),
    [
        ("a-1.0.jar", ["g:a:1.0"], Coordinates("g", "a", "1.0")),
        ("a-1.0-linux-x86_64.jar", ["g:a:1.0"], Coordinates("g", "a", "1.0", "linux-x86_64")),
        ("a-1.0.jar", ["g:b:1.0"], Coordinates(None, "a", "1.0")),
        ("a-1.0.1.jar", ["g:a:1.0"], Coordinates(None, "a", "1.0.1")),
        ("jcommander-1.72.jar", [], Coordinates("com.beust", "jcommander", "1.72")),
        ("unknown-2.jar", [], Coordinates(None, "unknown", "2")),
    ],
)
def test_what_a_jar_is(tmp_path: Path, name: str, inside: list[str], expected: Coordinates) -> None:
    assert bill.coordinates(write_jar(tmp_path / name, *inside))[0] == expected


def test_purls() -> None:
    known = Coordinates("g", "a", "1")
    assert known.purl == "pkg:maven/g/a@1"
    assert replace(known, classifier="c").purl == "pkg:maven/g/a@1?classifier=c"
    assert replace(known, group=None).purl == "pkg:generic/a@1"
