"""Detached OpenPGP signatures of source zips, checked with the user's own key ring."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from rmqops.errors import SourceError, ToolMissing
from rmqops.system import scratch
from rmqops.system.language import in_english


def check_signature(archive: Path, signature: Path, keyring: Path, environ: Mapping[str, str]) -> str:
    """Make sure that a key of the key ring signed a file; return the key's fingerprint.

    The key ring is a key box of gpg or exported keys, armored or not, such as the KEYS file of Apache RocketMQ.
    The user's own gpg directory is neither read nor written. A key that has expired since still proves who
    signed; a revoked one does not.

    Raises:
        ToolMissing: gpg is not installed.
        SourceError: the key ring cannot be read, or the signature is not good.
    """
    program = shutil.which("gpg", path=environ.get("PATH"))
    if program is None:
        raise ToolMissing(
            "there is no gpg to verify the signature with",
            remedy="install it, such as apt-get install gnupg (Debian, Ubuntu) or dnf install gnupg2 (Fedora, "
            "RHEL), or leave --keyring out",
        )
    if not os.access(keyring, os.R_OK):
        raise SourceError(f"the key ring {keyring} cannot be read", remedy="name a readable file with --keyring")
    with scratch.directory("gpg") as home:
        gpg = [program, "--homedir", str(home), "--batch", "--no-tty", "--no-autostart", "--status-fd", "1"]
        if _is_key_box(keyring):
            gpg += ["--no-default-keyring", "--keyring", str(keyring.absolute())]
        else:
            imported = _run([*gpg, "--import", str(keyring)], environ)
            if "[GNUPG:] IMPORT_OK" not in imported:
                raise SourceError(
                    f"{keyring} holds no OpenPGP keys",
                    remedy="give exported keys or a key box of gpg",
                    detail=imported,
                )
        output = _run([*gpg, "--verify", str(signature), str(archive)], environ)
    return _signer(output, archive, keyring)


def _signer(output: str, archive: Path, keyring: Path) -> str:
    status = dict(re.findall(r"^\[GNUPG:\] (\w+) ?(.*)$", output, re.MULTILINE))
    good = "GOODSIG" in status or "EXPKEYSIG" in status
    if good and "VALIDSIG" in status and "REVKEYSIG" not in status:
        return str(status["VALIDSIG"].split()[0])
    if "NO_PUBKEY" in status:
        why = f"it was made with key {status['NO_PUBKEY']}, which is not in {keyring}"
    elif "BADSIG" in status:
        why = "it was made for other bytes"
    elif "REVKEYSIG" in status:
        why = "its key was revoked"
    else:
        why = "gpg does not accept it"
    raise SourceError(
        f"the signature of {archive.name} is not good: {why}",
        remedy="get the zip, its .asc and the publisher's KEYS again from the publisher",
        detail="\n".join(line for line in output.splitlines() if not line.startswith("[GNUPG:]")) or None,
    )


def _is_key_box(keyring: Path) -> bool:
    with keyring.open("rb") as stream:
        return stream.read(12)[8:12] == b"KBXf"


def _run(argv: list[str], environ: Mapping[str, str]) -> str:
    done = subprocess.run(
        argv,
        env=in_english(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return done.stdout
