"""Which digest a source must have, and what is said when it has another."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from rmqops.errors import DigestMismatch, UsageError
from rmqops.model.releases import RELEASES
from rmqops.source.digest import check_sha512, expected_sha512, file_digest

OTHER = "ab" * 64


def test_a_known_release_needs_no_digest() -> None:
    assert expected_sha512("4.5.2", None) == RELEASES["4.5.2"].sha512


def test_a_known_release_takes_its_own_digest_in_capitals() -> None:
    assert expected_sha512("4.4.0", f" {RELEASES['4.4.0'].sha512.upper()}\n") == RELEASES["4.4.0"].sha512


def test_another_release_takes_the_digest_given() -> None:
    assert expected_sha512("4.6.0", OTHER) == OTHER


@pytest.mark.parametrize(
    ("version", "given", "said"),
    [
        ("4.5.2", OTHER, "is pinned to"),
        ("4.6.0", None, "is not known here"),
        ("4.6.0", "abc", "is not a SHA-512"),
        ("4.6.0", "g" * 128, "is not a SHA-512"),
        ("../../etc", OTHER, "is not a version"),
        ("4.5", OTHER, "is not a version"),
        ("", None, "is not a version"),
    ],
)
def test_what_cannot_be_is_refused(version: str, given: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        expected_sha512(version, given)


def test_a_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"abc")
    assert file_digest(file, "sha512") == hashlib.sha512(b"abc").hexdigest()


def test_a_mismatch_names_both_digests(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"abc")
    with pytest.raises(DigestMismatch) as caught:
        check_sha512(file, OTHER, "this")
    assert OTHER in caught.value.message
    assert hashlib.sha512(b"abc").hexdigest() in caught.value.message
