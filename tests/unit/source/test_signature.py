"""What gpg says of a signature, from a ``gpg`` that costs nothing: a script that says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmqops.errors import SourceError, ToolMissing
from rmqops.source.signature import check_signature

from .conftest import write_program

FINGERPRINT = "0123456789ABCDEF0123456789ABCDEF01234567"
GOOD = f"[GNUPG:] GOODSIG 89ABCDEF mine\n[GNUPG:] VALIDSIG {FINGERPRINT} 2026-01-01"


class Gpg:
    """A directory with a signed file, keys, and a ``gpg`` that says what a test wants."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.keyring = root / "KEYS"
        self.keyring.write_text("keys")
        self.arguments = root / "arguments"

    def says(self, verified: str, imported: str = "[GNUPG:] IMPORT_OK 1 X") -> None:
        text = f"""#!/bin/sh
echo "$*" >> {self.arguments}
case "$*" in
*--import*) cat <<'END'
{imported}
END
;;
*) cat <<'END'
{verified}
END
;;
esac
"""
        write_program(self.root / "bin" / "gpg", text)

    def check(self) -> str:
        environ = {"PATH": f"{self.root / 'bin'}:/usr/bin:/bin"}
        return check_signature(self.root / "release.zip", self.root / "release.zip.asc", self.keyring, environ)


@pytest.fixture
def gpg(tmp_path: Path) -> Gpg:
    return Gpg(tmp_path)


def test_a_good_signature_gives_the_fingerprint_of_its_key(gpg: Gpg) -> None:
    gpg.says(GOOD)
    assert gpg.check() == FINGERPRINT
    imports, verifies = gpg.arguments.read_text().splitlines()
    assert imports.endswith(f"--import {gpg.keyring}")
    assert verifies.endswith(f"--verify {gpg.root}/release.zip.asc {gpg.root}/release.zip")
    assert "--homedir" in verifies


def test_a_key_box_is_read_where_it_is(gpg: Gpg) -> None:
    gpg.keyring.write_bytes(bytes(8) + b"KBXf" + bytes(20))
    gpg.says(GOOD)
    assert gpg.check() == FINGERPRINT
    (verifies,) = gpg.arguments.read_text().splitlines()
    assert f"--no-default-keyring --keyring {gpg.keyring}" in verifies


def test_a_key_that_has_expired_since_is_good(gpg: Gpg) -> None:
    gpg.says(GOOD.replace("GOODSIG", "EXPKEYSIG"))
    assert gpg.check() == FINGERPRINT


@pytest.mark.parametrize(
    ("verified", "why"),
    [
        ("[GNUPG:] NO_PUBKEY 89ABCDEF", "made with key 89ABCDEF, which is not in"),
        ("[GNUPG:] BADSIG 89ABCDEF mine", "made for other bytes"),
        (f"[GNUPG:] REVKEYSIG 89ABCDEF mine\n{GOOD}", "its key was revoked"),
        ("[GNUPG:] GOODSIG 89ABCDEF mine", "gpg does not accept it"),
        ("gpg: no valid OpenPGP data found.", "gpg does not accept it"),
        ("", "gpg does not accept it"),
    ],
)
def test_any_other_is_refused_and_says_why(gpg: Gpg, verified: str, why: str) -> None:
    gpg.says(verified)
    with pytest.raises(SourceError) as caught:
        gpg.check()
    assert why in caught.value.message
    assert "[GNUPG:]" not in str(caught.value.detail)


def test_a_file_without_keys_is_refused(gpg: Gpg) -> None:
    gpg.says(GOOD, imported="gpg: no valid OpenPGP data found.")
    with pytest.raises(SourceError, match="holds no OpenPGP keys"):
        gpg.check()


def test_a_key_ring_that_is_not_there_is_refused(gpg: Gpg) -> None:
    gpg.says(GOOD)
    gpg.keyring.unlink()
    with pytest.raises(SourceError, match="cannot be read"):
        gpg.check()


def test_no_gpg_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing) as caught:
        check_signature(tmp_path / "a", tmp_path / "a.asc", tmp_path / "KEYS", {"PATH": str(tmp_path)})
    assert "gnupg" in str(caught.value.remedy)
