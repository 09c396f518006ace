"""Records that lead to artifacts, and what becomes of broken ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.errors import SourceError
from rmqops.model.releases import RELEASES
from rmqops.source import bundle
from rmqops.source.artifacts import (
    Artifact,
    RuntimeArtifact,
    artifact_from_json,
    artifact_to_json,
    runtime_from_json,
    runtime_to_json,
)
from rmqops.source.cache import LOGS_KEPT, Cache, default_cache, find_artifact, intact, unpacked
from rmqops.source.digest import file_digest
from rmqops.source.patching import chosen


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    made = Cache(tmp_path / "cache")
    with made.workspace():
        pass
    return made


def archive(cache: Cache, name: str) -> Path:
    content = cache.root / "content"
    (content / "lib").mkdir(parents=True, exist_ok=True)
    (content / "lib" / "a.jar").write_text(name)
    bundle.pack(content, "rocketmq", cache.artifacts / f"{name}.tar.gz")
    return cache.artifacts / f"{name}.tar.gz"


def artifact(cache: Cache, version: str = "9.9.9", source: str = "ab" * 64) -> Artifact:
    path = archive(cache, f"rocketmq-{version}")
    return Artifact(
        version=version,
        name=f"rocketmq-{version}",
        path=path,
        digest=file_digest(path, "sha256"),
        size=path.stat().st_size,
        source_sha512=source,
        jdk="17.0.1",
        oldest_java=8,
        built="2026-01-01T00:00:00+00:00",
        log=cache.logs / "a.log",
    )


def runtime(cache: Cache) -> RuntimeArtifact:
    path = archive(cache, "java")
    return RuntimeArtifact("java", path, file_digest(path, "sha256"), path.stat().st_size, "17.0.1", "x86_64")


def test_a_record_comes_back_whole(cache: Cache) -> None:
    made = replace(artifact(cache), runtime=runtime(cache))
    assert artifact_from_json(artifact_to_json(made), cache.artifacts, cache.logs) == made
    assert made.runtime is not None
    assert runtime_from_json(runtime_to_json(made.runtime), cache.artifacts) == made.runtime


def test_a_record_holds_no_directory(cache: Cache) -> None:
    made = replace(artifact(cache), runtime=runtime(cache))
    assert str(cache.root) not in artifact_to_json(made)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"format": 2}', '{"format": 2, "size": "x"}'])
def test_what_is_no_record_is_none(text: str, tmp_path: Path) -> None:
    assert artifact_from_json(text, tmp_path, tmp_path) is None
    assert runtime_from_json(text, tmp_path) is None


def test_a_record_of_another_format_is_none(cache: Cache) -> None:
    fields = json.loads(artifact_to_json(artifact(cache)))
    assert artifact_from_json(json.dumps({**fields, "format": 1}), cache.artifacts, cache.logs) is None


def test_what_was_saved_is_found(cache: Cache) -> None:
    made = artifact(cache)
    cache.save(made)
    assert cache.artifact("9.9.9", "ab" * 64) == made
    assert cache.artifact("9.9.9", "cd" * 64) is None
    assert cache.artifact("9.9.8", "ab" * 64) is None
    assert cache.artifact("9.9.9", "ab" * 64, "a-set") is None


def test_artifacts_with_and_without_patches_lie_side_by_side(cache: Cache) -> None:
    plain = artifact(cache)
    patched = replace(plain, name="rocketmq-9.9.9-patched", patches=("a", "b"), patch_set="a-set")
    cache.save(plain)
    cache.save(patched)
    assert cache.artifact("9.9.9", "ab" * 64) == plain
    assert cache.artifact("9.9.9", "ab" * 64, "a-set") == patched


def test_an_artifact_that_is_gone_or_cut_short_is_not_found(cache: Cache) -> None:
    made = artifact(cache)
    cache.save(made)
    made.path.write_bytes(b"short")
    assert cache.artifact("9.9.9", "ab" * 64) is None
    made.path.unlink()
    assert cache.artifact("9.9.9", "ab" * 64) is None


def test_an_artifact_whose_runtime_is_gone_is_not_found(cache: Cache) -> None:
    made = replace(artifact(cache), runtime=runtime(cache))
    cache.save(made)
    assert made.runtime is not None
    made.runtime.path.unlink()
    assert cache.artifact("9.9.9", "ab" * 64) is None


def test_a_changed_byte_is_seen_by_the_digest_only(cache: Cache) -> None:
    made = artifact(cache)
    cache.save(made)
    content = bytearray(made.path.read_bytes())
    content[-1] ^= 1
    made.path.write_bytes(bytes(content))
    assert cache.artifact("9.9.9", "ab" * 64) == made
    assert not intact(made)


def test_of_a_known_release_only_the_pinned_source_with_the_default_patches_counts(cache: Cache) -> None:
    cache.save(artifact(cache, "4.5.2", "ab" * 64))
    assert find_artifact("4.5.2", cache=cache) is None
    pinned = artifact(cache, "4.5.2", RELEASES["4.5.2"].sha512)
    cache.save(pinned)
    assert find_artifact("4.5.2", cache=cache) is None
    hardened = replace(pinned, patch_set=chosen("4.5.2").identity)
    cache.save(hardened)
    assert find_artifact("4.5.2", cache=cache) == hardened


def test_of_another_release_the_newest_counts(cache: Cache) -> None:
    old = artifact(cache, source="ab" * 64)
    new = replace(artifact(cache, source="cd" * 64), built="2026-01-02T00:00:00+00:00")
    cache.save(new)
    cache.save(old)
    assert find_artifact("9.9.9", cache=cache) == new


def test_an_empty_cache_has_nothing(tmp_path: Path) -> None:
    assert find_artifact("4.5.2", cache=Cache(tmp_path / "none")) is None
    assert not (tmp_path / "none").exists()


def test_an_artifact_is_unpacked_once(cache: Cache) -> None:
    made = artifact(cache)
    place = unpacked(made, cache)
    assert place == cache.root / "unpacked" / made.name
    assert (place / "lib/a.jar").read_text() == made.name
    made.path.unlink()
    assert unpacked(made, cache) == place


def test_a_broken_artifact_is_not_unpacked(cache: Cache) -> None:
    made = artifact(cache)
    made.path.write_bytes(bytes(made.size))
    with pytest.raises(SourceError, match="not what was built"):
        unpacked(made, cache)
    assert not (cache.root / "unpacked" / made.name).exists()


def test_what_a_dead_unpacking_left_is_removed(cache: Cache) -> None:
    half = cache.root / "unpacked" / ".half" / "x"
    half.mkdir(parents=True)
    unpacked(artifact(cache), cache)
    assert not half.exists()


def test_a_workspace_removes_the_dead_and_itself(cache: Cache) -> None:
    stale = cache.root / "work" / "stale"
    stale.mkdir(parents=True)
    with cache.workspace() as work:
        assert not stale.exists()
        assert work.is_dir()
    assert not (cache.root / "work").exists()


def test_a_workspace_goes_when_the_work_fails(cache: Cache) -> None:
    with pytest.raises(KeyboardInterrupt), cache.workspace():
        raise KeyboardInterrupt
    assert not (cache.root / "work").exists()


def test_the_oldest_logs_go(cache: Cache) -> None:
    for number in range(LOGS_KEPT + 5):
        cache.new_log(f"{number:03}").write_text("x")
    assert len(list(cache.logs.iterdir())) == LOGS_KEPT
    assert (cache.logs / f"{LOGS_KEPT + 4:03}.log").exists()


def test_the_cache_is_where_the_user_says(tmp_path: Path) -> None:
    assert default_cache({"RMQOPS_CACHE": str(tmp_path)}).root == tmp_path


def test_the_cache_is_where_the_system_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache({}).root == tmp_path / "rmqops"
