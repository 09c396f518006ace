"""What an operator's ansible.cfg and environment say: asked of Ansible, and kept while nothing has changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rmqops.errors import InventoryError, PreflightFailed
from rmqops.model.secret import Secret
from rmqops.model.topology import Instance, Value
from rmqops.transport import ansible_settings, destination, login_options, privilege


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work where nobody has settings, with a home and a cache of one's own."""
    for name in [name for name in os.environ if name.startswith("ANSIBLE_")]:
        monkeypatch.delenv(name)
    work = tmp_path / "work"
    for path in (work, tmp_path / "home"):
        path.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RMQOPS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(privilege, "_asked", [])
    ansible_settings._answer.cache_clear()
    yield work
    ansible_settings._answer.cache_clear()


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Count how often Ansible is asked from now on; each look is that of a new process."""
    asked: list[None] = []
    dump = ansible_settings._dump

    def counted() -> list[object]:
        asked.append(None)
        return dump()

    monkeypatch.setattr(ansible_settings, "_dump", counted)

    def count() -> int:
        asked.clear()
        ansible_settings._answer.cache_clear()
        ansible_settings.asked()
        return len(asked)

    return count


def instance(**variables: Value) -> Instance:
    return Instance("one", "namesrv", None, "web", "ssh", variables)


def test_where_nothing_is_to_be_read_nothing_is_asked(questions: Callable[[], int]) -> None:
    assert questions() == 0
    assert ansible_settings.asked() == {}


def test_an_answer_is_kept_until_what_it_came_from_changes(
    directory: Path, questions: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = directory / "ansible.cfg"
    home = Path.home() / ".ansible.cfg"

    def user() -> object:
        setting = login_options.of(instance(), "remote_user")
        return setting and setting.text

    file.write_text("[defaults]\nremote_user = one\nprivate_key_file = $KEYS/id\n")
    assert questions() == 1
    assert (questions(), user()) == (0, "one")
    file.write_text("[defaults]\nremote_user = two\nprivate_key_file = $KEYS/id\n")
    assert (questions(), user()) == (1, "two")
    home.write_text("[defaults]\nremote_user = home\n")
    assert (questions(), questions(), user()) == (1, 0, "two")
    directory.chmod(0o777)  # Ansible does not trust a file that others may write
    assert (questions(), questions(), user()) == (1, 0, "home")
    directory.chmod(0o755)
    assert (questions(), user()) == (0, "two")
    monkeypatch.setenv("KEYS", "/keys")
    assert (questions(), questions()) == (1, 0)
    found = login_options.of(instance(), "private_key_file")
    assert found
    assert found.text == "/keys/id"
    monkeypatch.setenv("ANSIBLE_REMOTE_USER", "three")
    assert (questions(), questions(), user()) == (1, 0, "three")
    other = directory / "other"
    other.mkdir()
    (other / "ansible.cfg").write_text("[defaults]\nremote_user = four\n")
    monkeypatch.delenv("ANSIBLE_REMOTE_USER")
    monkeypatch.setenv("ANSIBLE_CONFIG", str(other))
    assert (questions(), questions(), user()) == (1, 0, "four")
    (other / "ansible.cfg").unlink()
    assert (questions(), user()) == (1, "two")


def test_a_plug_in_of_the_operators_that_cannot_be_read_is_in_nobodys_way(directory: Path) -> None:
    (directory / "plugins").mkdir()
    (directory / "plugins" / "broken.py").write_text(
        'DOCUMENTATION = "name: x\\noptions: ["\nclass Connection: pass\n'
    )
    (directory / "ansible.cfg").write_text(
        "[defaults]\nconnection_plugins = ./plugins\nremote_user = me\n[privilege_escalation]\nbecome_user = you\n"
    )
    settings = ansible_settings.asked()
    found = {name: settings[name].value for name in ("connection/ssh/remote_user", "become/sudo/become_user")}
    assert found == {"connection/ssh/remote_user": "me", "become/sudo/become_user": "you"}


def test_what_is_kept_is_this_users_alone_and_damage_to_it_is_mended(
    directory: Path, questions: Callable[[], int]
) -> None:
    (directory / "ansible.cfg").write_text("[defaults]\nremote_user = one\n")
    assert questions() == 1
    [kept] = (directory.parent / "cache" / "ansible").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    for damage in ("", "[", "{}", "[1]", '[{"name": "x"}]', "null"):
        kept.write_text(damage)
        assert questions() == (1 if damage != "{}" else 0)
        kept.write_text("")


def test_an_answer_with_a_password_in_it_is_not_kept(directory: Path, questions: Callable[[], int]) -> None:
    (directory / "ansible.cfg").write_text("[sudo_become_plugin]\npassword = s3cret\n")
    assert (questions(), questions()) == (1, 1)
    cache = directory.parent / "cache"
    assert not [file for file in cache.rglob("*") if file.is_file()]
    assert privilege.remembered() == Secret("s3cret")
    assert "s3cret" not in repr(ansible_settings.asked())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[defaults\n", "File contains no section headers"),
        ("[defaults]\nforks = many\n", "invalid value"),
        ("[ssh_connection]\ntimeout = soon\n[defaults]\ntimeout = soon\n", "invalid value"),
    ],
)
def test_settings_that_ansible_cannot_read(
    directory: Path, text: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory / "ansible.cfg").write_text(text)
    monkeypatch.setenv("LC_ALL", "no_SUCH.locale")
    with pytest.raises(InventoryError) as caught:
        ansible_settings.asked()
    [problem] = caught.value.problems
    assert problem.file == str(directory / "ansible.cfg")
    assert says in problem.message
    assert "Traceback" not in str(problem)


def test_the_table_of_options_is_the_plug_ins_own() -> None:
    program = Path(sys.executable).with_name("ansible-config")
    argv = [str(program), "list", "--type", "connection", "--format", "json", "ssh"]
    listed = json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)
    options = listed["PLUGINS"]["connection"]["ssh"]
    assert options.keys() == login_options.OPTIONS.keys()
    for name, option in login_options.OPTIONS.items():
        variables = [entry["name"] for entry in options[name].get("vars", []) if "[" not in entry["name"]]
        assert tuple(variables) == option.variables, name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("[defaults]\nhost_key_checking = False", "host_key_checking"),
        ("[ssh_connection]\nssh_executable = ./wrapper", "ssh_executable"),
        ("[ssh_connection]\npkcs11_provider = /lib/p11.so", "pkcs11_provider"),
        ("[defaults]\ntransport = paramiko_ssh", "transport"),
        ("[defaults]\nask_pass = True", "ask_pass"),
        ("[defaults]\nask_vault_pass = True", "ask_vault_pass"),
        ("[privilege_escalation]\nbecome_ask_pass = True", "become_ask_pass"),
        ("[privilege_escalation]\nbecome_method = su", "become_method"),
        ("[privilege_escalation]\nbecome_flags = -E", "become_flags"),
    ],
)
def test_what_cannot_be_followed_is_told_with_what_to_do_instead(directory: Path, text: str, name: str) -> None:
    (directory / "ansible.cfg").write_text(text + "\n")
    [sentence] = login_options.left_out([])
    assert sentence.startswith(f"{directory / 'ansible.cfg'}: {name} is left out: ")


def test_what_is_followed_and_what_says_nothing_new_is_not_told(directory: Path) -> None:
    (directory / "ansible.cfg").write_text(
        "[defaults]\nremote_user = me\nhost_key_checking = True\ntransport = ssh\nstdout_callback = yaml\n"
        "[ssh_connection]\nssh_executable = ssh\n[privilege_escalation]\nbecome_method = sudo\nbecome = True\n"
    )
    assert login_options.left_out([instance(), instance(ansible_host_key_checking=True)]) == ()


def test_a_variable_that_turns_host_keys_off_is_told_once() -> None:
    hosts = [instance(ansible_host_key_checking=False), instance(ansible_host_key_checking="no")]
    [sentence] = login_options.left_out(hosts)
    assert sentence.startswith("the inventory: ansible_host_key_checking is left out: host keys are verified")


def test_a_setting_that_rmqops_does_not_honour_is_complained_of_by_its_file(directory: Path) -> None:
    (directory / "ansible.cfg").write_text("[ssh_connection]\nssh_args = -L 1:localhost:2\n")
    with pytest.raises(InventoryError) as caught:
        destination.of(instance())
    assert caught.value.problems[0].file == str(directory / "ansible.cfg")
    assert caught.value.problems[0].key == "ssh_args"


def test_host_keys_that_an_ansible_cfg_turns_off_are_verified(directory: Path) -> None:
    (directory / "ansible.cfg").write_text("[ssh_connection]\nssh_args = -o StrictHostKeyChecking=no -F none\n")
    assert destination.of(instance()).strict == "ask"


def test_becoming_another_user_by_settings_and_variables(directory: Path) -> None:
    assert privilege.of(instance()) is None
    (directory / "secret").write_text("from a file\n")
    (directory / "ansible.cfg").write_text(
        "[defaults]\nbecome_password_file = ./secret\n[privilege_escalation]\nbecome = True\nbecome_user = admin\n"
    )
    become = privilege.of(instance())
    assert become
    assert (become.user, become.password) == ("admin", Secret("from a file"))
    assert privilege.of(instance(ansible_become=False)) is None
    both = privilege.of(instance(ansible_become_pass="low", ansible_sudo_pass="high", ansible_sudo_user="other"))
    assert both
    assert (both.user, both.password) == ("other", Secret("high"))
    (directory / "secret").write_text("#!/bin/sh\necho from a program\n")
    (directory / "secret").chmod(0o755)
    privilege._password_of.cache_clear()
    assert privilege.remembered() == Secret("from a program")
    (directory / "secret").unlink()
    privilege._password_of.cache_clear()
    with pytest.raises(PreflightFailed, match="become_password_file"):
        privilege.remembered()
