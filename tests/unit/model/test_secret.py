"""A secret does not show."""

from __future__ import annotations

import json
import pickle
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmqops.model.secret import Secret, hide, hide_in_command
from rmqops.transport.wrapping import Become


def test_it_prints_as_stars() -> None:
    secret = Secret("s3cret")
    shown = f"{secret} {secret!r} {[secret]} {Become('root', secret)}" + "%s" % secret + str(secret)  # noqa: UP031
    assert "s3cret" not in shown
    assert "****" in shown
    assert secret.reveal() == "s3cret"


def test_it_is_not_written_to_files() -> None:
    with pytest.raises(TypeError, match="not written"):
        pickle.dumps(Secret("s3cret"))
    with pytest.raises(TypeError):
        json.dumps(Secret("s3cret"))


def test_it_is_compared_by_its_text() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1


COMMANDS = [
    "echo --password VALUE -pVALUE 'Authorization: Bearer VALUE' \"password: 'VALUE VALUE'\"",
    "env SECRET=VALUE x",
    "env DB_PASSWORD=VALUE x",
    "AWS_SECRET_ACCESS_KEY=VALUE ls",
    "curl -u admin:VALUE https://bob:VALUE@h/p",
    "curl -H 'X-Api-Key: VALUE' h",
    "curl --header Authorization:VALUE h",
    "curl -b 'Cookie: id=VALUE' h",
    """curl -d '{"password":"VALUE","a":1}' h""",
    "curl 'http://h/?token=VALUE&b=VALUE'",
    "x --api-key VALUE y",
    "x --auth-token=VALUE",
    "x --pass VALUE",
    "x --requirepass VALUE",
    "x password: VALUE",
    "x 'password = \"VALUE VALUE\"'",
    "x 'a: 1\npassword: VALUE VALUE\nb: 2'",
    "sshpass -p VALUE ssh h uptime",
    "redis-cli -a VALUE ping",
    "mysql -u root -p VALUE",
    "sh -c 'mysql -uroot -pVALUE -e \"select 1\"'",
    "sh -c 'echo token VALUE'",
    "openssl rsa -passin pass:VALUE",
    "psql postgres://bob:VALUE@db/x",
    "smbclient -U bob%VALUE //h/s",
    "x '-----BEGIN RSA PRIVATE KEY-----\nVALUE\n-----END RSA PRIVATE KEY-----'",
]
"""Commands with a secret in them, as people give them."""

HARMLESS = [
    "sed -n 's/[/]data[/]//p' /etc/fstab",
    "grep -rn foo /var/log",
    "mkdir -p /x/y",
    "ps -p 1",
    "cat /etc/passwd /etc/fstab",
    "rpm -q --queryformat '%{NAME}' x",
    "awk '{ print $1 }' /proc/meminfo",
    "sh -c 'echo $RMQOPS_LOG_DIR; ls -la'",
    "systemctl restart rocketmq-broker-a-0",
    "date -u +%Y-%m-%dT%H:%M:%SZ",
    "sha256sum rocketmq-4.5.2-0123456789abcdef.tar.gz",
    "find /opt/rocketmq/instances -newermt '2026-01-01 00:00' -type f",
]


@pytest.mark.parametrize("line", COMMANDS)
@settings(max_examples=20)
@given(secret=st.from_regex(r"[A-Za-z0-9!#%*+.,^~?]{6,30}", fullmatch=True))
def test_a_secret_in_a_command_is_hidden_over_the_borders_of_words(line: str, secret: str) -> None:
    words = [word.replace("VALUE", secret) for word in shlex.split(line)]
    shown = hide_in_command(words)
    assert len(shown) == len(words)
    assert secret not in " ".join(shown)
    assert shown[0] in {words[0], "AWS_SECRET_ACCESS_KEY=****"}, "the program is kept"


@pytest.mark.parametrize("line", HARMLESS)
def test_a_command_without_secrets_is_as_it_was_given(line: str) -> None:
    assert hide_in_command(shlex.split(line)) == shlex.split(line)


@given(st.lists(st.text()))
def test_the_words_of_any_command_stay_apart(words: list[str]) -> None:
    assert len(hide_in_command([word.replace("\0", "") for word in words])) == len(words)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the password of sudo was wrong", "the password of sudo was wrong"),
        ("error: no password was given", "error: no password was given"),
        ("listenPort=9876", "listenPort=9876"),
        ("accessKey=abc", "accessKey=****"),
        ("-Djavax.net.ssl.trustStorePassword=abc -Xmx1g", "-Djavax.net.ssl.trustStorePassword=**** -Xmx1g"),
        ("+  secretKey: 'two words'", "+  secretKey: ****"),
        ("+  <password>abc</password>", "+  <password>****"),
        ("https://bob:abc@h/p cannot be read", "https://bob:****@h/p cannot be read"),
    ],
)
def test_a_secret_in_a_message_or_a_diff_is_hidden_and_words_about_it_are_not(text: str, shown: str) -> None:
    assert hide(text) == shown
