"""What known_hosts says of a key."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from rmqops.transport import known_hosts

ONE = base64.b64encode(b"the first key").decode()
TWO = base64.b64encode(b"another key").decode()


@pytest.mark.parametrize(
    ("text", "name", "standing", "line"),
    [
        ("", "h", "unknown", None),
        (f"h ssh-ed25519 {ONE}", "h", "known", 1),
        (f"# h\n\nH,10.0.0.1 ssh-ed25519 {ONE} a comment\n", "h", "known", 3),
        (f"h ssh-ed25519 {ONE}", "[h]:2222", "unknown", None),
        (f"[h]:2222 ssh-ed25519 {ONE}", "[h]:2222", "known", 1),
        (f"[h]:2222 ssh-ed25519 {TWO}", "h", "unknown", None),
        (f"h ssh-ed25519 {TWO}", "h", "changed", 1),
        (f"h ssh-rsa {TWO}\nh ssh-ed25519 {TWO}", "h", "changed", 2),
        (f"h ssh-rsa {TWO}", "h", "changed", 1),
        (f"h ssh-ed25519 {TWO}\nh ssh-ed25519 {ONE}", "h", "known", 2),
        (f"*.lan,!bad.lan ssh-ed25519 {ONE}", "good.lan", "known", 1),
        (f"*.lan,!bad.lan ssh-ed25519 {ONE}", "bad.lan", "unknown", None),
        (f"10.0.0.? ssh-ed25519 {ONE}", "10.0.0.7", "known", 1),
        (f"h ssh-ed25519 {ONE}\n@revoked * ssh-ed25519 {ONE}", "h", "revoked", 2),
        (f"@revoked h ssh-ed25519 {TWO}", "h", "unknown", None),
        (f"@cert-authority * ssh-ed25519 {ONE}", "h", "unknown", None),
        ("h ssh-ed25519 not~base64\nh ssh-ed25519\n|1|x|y ssh-rsa AAAA", "h", "unknown", None),
    ],
)
def test_judgement(text: str, name: str, standing: str, line: int | None) -> None:
    said = known_hosts.judge(name, "ssh-ed25519", ONE, known_hosts.parse("file", text))
    assert said.standing == standing
    assert (said.entry.line if said.entry else None) == line


def test_names_that_ssh_keygen_has_hashed(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    key = (tmp_path / "key.pub").read_text().split()[1]
    file.write_text(f"h,[h]:2222 ssh-ed25519 {key}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    assert "h," not in file.read_text()
    entries = known_hosts.parse(str(file), file.read_text())
    for name, standing in (("h", "known"), ("[h]:2222", "known"), ("g", "unknown")):
        assert known_hosts.judge(name, "ssh-ed25519", key, entries).standing == standing
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(tmp_path / "key.pub")], capture_output=True, text=True, check=True
    )
    assert entries[0].fingerprint == shown.stdout.split()[1]
