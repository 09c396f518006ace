"""Every option of ssh: what becomes of it, and that it does."""

from __future__ import annotations

import os
import pwd
import re
import socket
import subprocess
from pathlib import Path

import pytest

from rmqops.errors import PreflightFailed
from rmqops.model.topology import Instance
from rmqops.transport import arguments, destination, ssh_options
from rmqops.transport.destination import Destination
from tests.unit.transport.test_destination import instance


def resolved(tmp_path: Path, lines: str) -> Destination:
    destination._resolve.cache_clear()
    (tmp_path / "config").write_text(lines)
    return destination.of(instance("web", tmp_path / "config"))


def test_every_option_that_ssh_prints_has_its_place() -> None:
    """``ssh -G`` of this machine; what a newer one prints beside is named when it is set."""
    words = ["-F", "none", "-T", "-G", "-J", "b", "-o", "CertificateFile=/c", "-o", "IdentityAgent=/a", "-o"]
    words += ["HostKeyAlias=a", "-o", "BindAddress=::1", "-o", "SetEnv=A=b", "-o", "SendEnv=C", "-o"]
    words += ["LocalCommand=x", "-o", "RemoteCommand=y", "-o", "RevokedHostKeys=/r", "-o", "PKCS11Provider=/p"]
    words += ["-o", "KnownHostsCommand=/k", "-o", "BindInterface=lo", "-o", "ControlPath=/s", "-D", "1", "-L"]
    words += ["2:h:3", "-R", "4:h:5", "-o", "PreferredAuthentications=publickey", "-o", "IgnoreUnknown=z"]
    printed = subprocess.run(["ssh", *words, "web"], capture_output=True, text=True, check=True).stdout
    names = {line.partition(" ")[0].lower() for line in printed.splitlines()}
    assert len(names) > 80
    assert not names - ssh_options.OPTIONS.keys()
    assert ssh_options.of("NobodyKnowsThis").treatment == "named"
    assert all(
        option.remedy for option in ssh_options.OPTIONS.values() if option.treatment in {"named", "refused"}
    )


HONOURED = [
    ("AddressFamily inet6", "family", socket.AF_INET6),
    ("BindAddress 127.0.0.9", "bind", "127.0.0.9"),
    ("CertificateFile /c1\nCertificateFile /c2", "certificates", ("/c1", "/c2")),
    ("Ciphers aes256-ctr", "algorithms.ciphers", ("aes256-ctr",)),
    ("MACs hmac-sha2-256", "algorithms.macs", ("hmac-sha2-256",)),
    ("KexAlgorithms ecdh-sha2-nistp256", "algorithms.key_exchanges", ("ecdh-sha2-nistp256",)),
    ("HostKeyAlgorithms ssh-ed25519", "algorithms.host_keys", ("ssh-ed25519",)),
    ("PubkeyAcceptedAlgorithms ssh-ed25519", "algorithms.login_keys", ("ssh-ed25519",)),
    ("RequiredRSASize 3000", "algorithms.rsa_bits", 3000),
    ("ConnectTimeout 7", "timeout", 7.0),
    ("GlobalKnownHostsFile /g", "shared_hosts", ("/g", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")),
    ("UserKnownHostsFile /u1 /u2\nGlobalKnownHostsFile none", "known_hosts", ("/u1", "/u2")),
    ("UserKnownHostsFile none\nGlobalKnownHostsFile /g", "known_hosts", ("/g",)),
    ('UserKnownHostsFile "/with blanks" /u2\nGlobalKnownHostsFile none', "known_hosts", ("/with blanks", "/u2")),
    ("UserKnownHostsFile /known.%h.%p\nGlobalKnownHostsFile none", "known_hosts", ("/known.web.22",)),
    ("HostKeyAlias Alias\nPort 3", "known_name", "alias"),
    ("HostName 10.0.0.7", "address", "10.0.0.7"),
    ("IdentitiesOnly yes", "identities_only", True),
    ("IdentityAgent /agent.%r\nUser me", "agent", "/agent.me"),
    ("IdentityAgent none", "agent", None),
    ("IdentityFile /k1\nIdentityFile /k2", "named_identities", ("/k1", "/k2")),
    ("IdentityFile none", "identities", ()),
    ("Port 3", "known_name", "[web]:3"),
    ("ProxyCommand nc %h %p # %%", "proxy_command", "nc web 22 # %"),
    ("ProxyCommand none\nProxyJump none", "proxy_command", None),
    ("PubkeyAuthentication no", "by_key", False),
    ("StrictHostKeyChecking accept-new", "strict", "accept-new"),
    ("StrictHostKeyChecking no", "strict", "ask"),
    ("StrictHostKeyChecking yes", "strict", "yes"),
    ("User somebody", "user", "somebody"),
    ("Match user root,operator\n  User op\nMatch exec true\n  Port 9", "port", 9),
    ("CanonicalizeHostname no\nCanonicalDomains example.org", "address", "web"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "name", "value"), HONOURED)
def test_an_option_that_is_honoured(tmp_path: Path, lines: str, name: str, value: object) -> None:
    found: object = resolved(tmp_path, lines + "\n")
    for part in name.split("."):
        found = getattr(found, part)
    assert found == value


def test_home_is_ssh_s_own_whatever_home_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    home = pwd.getpwuid(os.getuid()).pw_dir
    found = resolved(tmp_path, "IdentityFile ~/.ssh/own\nCertificateFile %d/cert\n")
    assert (found.identities, found.certificates) == ((f"{home}/.ssh/own",), (f"{home}/cert",))
    assert all(file.startswith(f"{home}/") for file in found.known_hosts if file not in found.shared_hosts)


def test_each_that_is_honoured_is_shown_to_be() -> None:
    shown = {word.lower() for lines, _, _ in HONOURED for word in re.findall(r"(?m)^\s*(\w+)", lines)} - {"match"}
    honoured = {name for name, option in ssh_options.OPTIONS.items() if option.treatment == "honoured"}
    by_ssh_itself = {
        "host",
        "tag",
        "canonicalizefallbacklocal",
        "canonicalizemaxdots",
        "canonicalizepermittedcnames",
    }
    assert honoured - shown == by_ssh_itself


@pytest.mark.parametrize(
    "line", ["RevokedHostKeys /etc/passwd", "RemoteCommand ls", "BindInterface lo", "StdinNull yes"]
)
def test_an_option_that_rmqops_cannot_do_without_is_refused_with_a_remedy(tmp_path: Path, line: str) -> None:
    with pytest.raises(PreflightFailed) as caught:
        resolved(tmp_path, line)
    name = line.partition(" ")[0]
    assert name.lower() in str(caught.value)
    assert caught.value.remedy == ssh_options.of(name).remedy


def test_an_option_that_is_named_is_told_where_the_login_fails(tmp_path: Path) -> None:
    found = resolved(tmp_path, "PKCS11Provider /lib/p11.so\nVerifyHostKeyDNS yes\nGSSAPIAuthentication no\n")
    assert [(name, value) for name, value, _ in found.not_honoured] == [
        ("verifyhostkeydns", "true"), ("pkcs11provider", "/lib/p11.so"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("host", "user"),
    [
        ("a;b", "me"), ("$(id)", "me"), ("a b", "me"), ("-oProxyCommand=x", "me"), ("a`b`", "me"), ("a\nb", "me"),
        ("a'b", "me"), ("web", "-me"), ("web", "m;e"), ("web", "$(id)"), ("web", "m`e"), ("web", "me -o x"),
        ("web", "me\\"),
    ],
)  # fmt: skip
def test_names_that_a_shell_would_read_as_more_reach_no_proxys_command(
    tmp_path: Path, host: str, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever release of OpenSSH is there: ssh itself is not asked to refuse them."""
    (tmp_path / "config").write_text("Host *\n ProxyCommand nc %h %p %r\n")
    there = Instance("one", "namesrv", None, host, "ssh", {"ansible_user": user,
                     "ansible_ssh_common_args": f"-F {tmp_path / 'config'}"})  # fmt: skip
    with pytest.raises(PreflightFailed):
        destination.of(there)


@pytest.mark.parametrize("user", ["DOMAIN\\me", "machine$", "first last", "me@example.org"])
def test_a_users_name_that_is_unusual_and_harmless(tmp_path: Path, user: str) -> None:
    (tmp_path / "config").write_text("")
    assert destination.of(instance("web", tmp_path / "config", ansible_user=user)).user == user


def test_arguments_less_some() -> None:
    words = arguments.read(
        "-A -a -M -S /s -o ControlPath=/t -oForwardAgent=yes -J a -o 'ProxyCommand=b c' -F f -4"
    )
    left = arguments.without(words, {"forwardagent", "controlmaster", "controlpath", "proxyjump", "proxycommand"})
    assert left == ("-F", "f", "-4")
    assert arguments.file_of(words) == ("-F", "f")
