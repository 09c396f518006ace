"""Unified diffs: where they apply, and that they apply nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmqops.source import diffs

OLD = "one\ntwo\nthree\nfour\nfive\n"
CHANGE = """Words before.

--- a/dir/file
+++ b/dir/file
@@ -2,3 +2,3 @@
 two
-three
+3
 four
"""
CREATION = "--- /dev/null\n+++ b/new/file\n@@ -0,0 +1,2 @@\n+first\n+second\n"


def applied(tmp_path: Path, diff: str, content: str | bytes = OLD) -> bytes:
    path = tmp_path / "dir" / "file"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    diffs.apply(diffs.parse(diff.encode()), tmp_path)
    return path.read_bytes()


def test_a_change_is_made(tmp_path: Path) -> None:
    assert applied(tmp_path, CHANGE) == b"one\ntwo\n3\nfour\nfive\n"


def test_lines_that_moved_are_found(tmp_path: Path) -> None:
    assert (
        applied(tmp_path, CHANGE, "zero\n" * 100 + OLD) == ("zero\n" * 100).encode() + b"one\ntwo\n3\nfour\nfive\n"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("one\ntwo\n3\nfour\nfive\n", "nowhere"),
        ("", "nowhere"),
        (OLD + OLD, "2 times"),
        (OLD.replace("\n", "\r\n"), "nowhere"),
        (OLD.replace("two", "two "), "nowhere"),
    ],
)
def test_what_does_not_fit_changes_nothing(tmp_path: Path, content: str, reason: str) -> None:
    with pytest.raises(diffs.DoesNotApply, match=f"dir/file: what its hunk of line 2 changes stands {reason} "):
        applied(tmp_path, CREATION + CHANGE.partition("\n\n")[2], content)
    assert (tmp_path / "dir/file").read_bytes() == content.encode()
    assert not (tmp_path / "new").exists()


def test_hunks_apply_one_behind_the_other(tmp_path: Path) -> None:
    diff = "--- a/dir/file\n+++ b/dir/file\n@@ -1 +1,2 @@\n one\n+more\n@@ -5 +6 @@\n-five\n+5\n"
    assert applied(tmp_path, diff) == b"one\nmore\ntwo\nthree\nfour\n5\n"
    swapped = "--- a/dir/file\n+++ b/dir/file\n@@ -5 +5 @@\n-five\n+5\n@@ -1 +1,2 @@\n one\n+more\n"
    with pytest.raises(diffs.DoesNotApply, match="hunk of line 1 changes stands nowhere"):
        applied(tmp_path, swapped)


def test_an_empty_line_needs_no_blank_before_it(tmp_path: Path) -> None:
    diff = "--- a/dir/file\n+++ b/dir/file\n@@ -1,3 +1,3 @@\n a\n\n-b\n+c\n"
    assert applied(tmp_path, diff, "a\n\nb\n") == b"a\n\nc\n"


def test_bytes_that_are_no_text_are_kept(tmp_path: Path) -> None:
    assert applied(tmp_path, CHANGE, b"\xff\n" + OLD.encode()).startswith(b"\xff\none\n")


def test_a_file_is_made_and_never_overwritten(tmp_path: Path) -> None:
    changes = diffs.parse(CREATION.encode())
    diffs.apply(changes, tmp_path)
    assert (tmp_path / "new/file").read_text() == "first\nsecond\n"
    with pytest.raises(diffs.DoesNotApply, match="new/file: it is there already"):
        diffs.apply(changes, tmp_path)


def test_a_file_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(diffs.DoesNotApply, match="dir/file: it is not there"):
        diffs.apply(diffs.parse(CHANGE.encode()), tmp_path)


@pytest.mark.parametrize(
    ("diff", "reason"),
    [
        ("no diff\n", "changes no file"),
        ("--- a/f\n+++ b/f\n", "changes nothing in f"),
        ("--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n", "removes a file"),
        ("--- a/f\n+++ b/../f\n@@ -1 +1 @@\n-x\n+y\n", "not a file below"),
        ("--- a/f\n+++ b//etc/f\n@@ -1 +1 @@\n-x\n+y\n", "not a file below"),
        ("--- a/f\n+++ f\n@@ -1 +1 @@\n-x\n+y\n", "not a file below"),
        ("--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n-x\n+y\n", "not as long as it says"),
        ("--- a/f\n+++ b/f\n@@ -1,2 +1 @@\n-x\n?\n", "not as long as it says"),
        ("--- a/f\n+++ b/f\n@@ -1 +1 @@\n-x\n+y\n" * 2, "changes f twice"),
    ],
)
def test_what_is_no_diff_is_refused(diff: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        diffs.parse(diff.encode())
