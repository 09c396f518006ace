"""What ansible-playbook is given, and what is said when it refuses; it is a script here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rmqops import assets
from rmqops.errors import OperationFailed
from rmqops.model.secret import Secret
from rmqops.operations.change import ansible_environment, playbook
from rmqops.transport import ansible_settings, privilege
from tests.support.waiting import until

RECORDER = """#!/bin/sh
printf '%s\\n' "$@" > "$OUT/argv"
env > "$OUT/environment"
while [ $# -gt 0 ]; do
  case $1 in
  --become-password-file)
    stat -c %F "$2" > "$OUT/kind"
    cat "$2" > "$OUT/password"
    ;;
  --extra-vars) cat "${2#@}" > "$OUT/variables" ;;
  esac
  shift
done
[ ! -e "$OUT/says" ] || { cat "$OUT/says"; exit 4; }
"""


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Put a script in the place of ansible-playbook; what it was given is in this directory."""
    for name in [name for name in os.environ if name.startswith("ANSIBLE_")]:
        monkeypatch.delenv(name)
    program = tmp_path / "ansible-playbook"
    program.write_text(RECORDER)
    program.chmod(0o755)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "work"))
    monkeypatch.setenv("OUT", str(tmp_path))
    monkeypatch.setenv("RMQOPS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(playbook, "_program", lambda: str(program))
    monkeypatch.setattr(privilege, "_asked", [])
    ansible_settings._answer.cache_clear()
    yield tmp_path
    ansible_settings._answer.cache_clear()


def run(out: Path) -> None:
    playbook.run("site", ("inventory",), hosts=(), log=out / "log", listener=lambda _: None)


def environment(out: Path) -> dict[str, str]:
    lines = (out / "environment").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def test_the_password_for_sudo_travels_through_a_pipe(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privilege, "_asked", [Secret("s3cret")])
    run(out)
    assert (out / "password").read_text() == "s3cret\n"
    assert (out / "kind").read_text() == "fifo\n"
    seen = [out / name for name in ("argv", "environment", "variables", "log")]
    assert all("s3cret" not in file.read_text() for file in seen)


def test_without_a_password_there_is_no_pipe(out: Path) -> None:
    run(out)
    assert "become" not in (out / "argv").read_text()


def test_nothing_of_the_password_is_left_by_a_kill(out: Path) -> None:
    """Before Ansible has read it, which is when a file would hold it."""
    (out / "ansible-playbook").write_text("#!/bin/sh\ntouch $OUT/started\nexec sleep 600\n")
    script = f"""
from pathlib import Path
from rmqops.model.secret import Secret
from rmqops.operations.change import playbook
from rmqops.transport import privilege
privilege.remember(Secret("s3" + "cret"))
playbook._program = lambda: {str(out / "ansible-playbook")!r}
playbook.run("site", ("inventory",), hosts=(), log=Path({str(out / "log")!r}), listener=lambda _: None)
"""
    temporary = out / "temporary"
    temporary.mkdir()
    child = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "TMPDIR": str(temporary)})
    try:
        until((out / "started").exists, "it has not started")
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
    left = [file for file in temporary.rglob("*") if file.is_file()]
    assert left
    assert all("s3cret" not in file.read_text() for file in left)


OPERATORS = """
[defaults]
stdout_callback = yaml
strategy = mitogen_linear
callbacks_enabled = timer, profile_tasks
forks = 99
fact_caching = redis
roles_path = /operators/roles
library = /operators/modules
log_path = /operators/log
error_on_undefined_vars = False
remote_user = operator
vault_password_file = /operators/vault
vault_identity_list = a@/v1, b@/v2
hash_behaviour = merge
interpreter_python = /opt/python
remote_tmp = /var/tmp/ansible
collections_path = /c1:/c2
[inventory]
enable_plugins = host_list, yaml
[privilege_escalation]
become = True
[ssh_connection]
pipelining = False
ssh_executable = ./wrapper
"""


def test_of_an_operators_settings_a_run_gets_what_is_about_logins_inventories_and_vaults(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("ansible.cfg").write_text(OPERATORS)
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "json")
    monkeypatch.setenv("ANSIBLE_DISPLAY_FAILED_STDERR", "1")
    monkeypatch.setenv("ANSIBLE_VAULT_IDENTITY", "mine")
    monkeypatch.setenv("ANSIBLE_NO_SETTING_OF_ANSIBLES", "an inventory may look this up")
    monkeypatch.setenv("LC_ALL", "no_SUCH.locale")
    monkeypatch.setenv("LC_NUMERIC", "de_DE")
    run(out)
    given = environment(out)
    ansibles = {name: value for name, value in given.items() if name.startswith("ANSIBLE_")}
    assert ansibles == {
        "ANSIBLE_BECOME": "True",
        "ANSIBLE_CALLBACKS_ENABLED": "rmqops_events",
        "ANSIBLE_CALLBACK_PLUGINS": str(assets.path("playbooks", "callback_plugins")),
        "ANSIBLE_COLLECTIONS_PATH": "/c1:/c2",
        "ANSIBLE_CONFIG": str(assets.path("ansible.cfg")),
        "ANSIBLE_FORKS": "10",
        "ANSIBLE_HASH_BEHAVIOUR": "merge",
        "ANSIBLE_INVENTORY_ENABLED": "host_list,yaml",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_NO_SETTING_OF_ANSIBLES": "an inventory may look this up",
        "ANSIBLE_PYTHON_INTERPRETER": "/opt/python",
        "ANSIBLE_REMOTE_TMP": "/var/tmp/ansible",
        "ANSIBLE_REMOTE_USER": "operator",
        "ANSIBLE_SSH_PIPELINING": "False",
        "ANSIBLE_VAULT_IDENTITY": "mine",
        "ANSIBLE_VAULT_IDENTITY_LIST": "a@/v1,b@/v2",
        "ANSIBLE_VAULT_PASSWORD_FILE": "/operators/vault",
    }
    assert {name: value for name, value in given.items() if name.startswith(("LC_", "LANG"))} == {
        "LANG": "C",
        "LC_CTYPE": given["LC_CTYPE"],
    }
    log = (out / "log").read_text()
    for name in ("DEFAULT_STRATEGY", "CALLBACKS_ENABLED", "DEFAULT_FORKS", "CACHE_PLUGIN", "DEFAULT_LOG_PATH"):
        assert f"not for this run: {out / 'work' / 'ansible.cfg'}: {name}\n" in log
    assert "not for this run: the environment: ANSIBLE_STDOUT_CALLBACK: DEFAULT_STDOUT_CALLBACK\n" in log
    assert "REMOTE_USER" not in log


def test_every_variable_that_hands_a_setting_over_is_ansibles_own() -> None:
    program = Path(sys.executable).with_name("ansible-config")
    argv = [str(program), "list", "--type", "all", "--format", "json"]
    listed = json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)
    for name, carriers in ansible_environment.HANDED.items():
        entry = listed.get(name)
        if "/" in name:
            kind, plugin, option = name.split("/")
            plugins = next(value for key, value in listed["PLUGINS"].items() if key.lower() == kind)
            entry = plugins[plugin][option]
        assert entry, name
        assert tuple(each["name"] for each in entry["env"]) == carriers, name


REFUSALS = [
    (
        "[WARNING]: something\n[ERROR]: Unexpected Exception, this is probably a bug: no room\nthe rest of it\n"
        "Traceback (most recent call last):\n  File x\n",
        "no room",
        "the rest of it",
    ),
    ("ERROR! the playbook: /x could not be found\n", "the playbook: /x could not be found", None),
    (
        "ERROR: Ansible requires the locale encoding to be UTF-8; Detected None.\n",
        "Ansible requires the locale encoding to be UTF-8; Detected None.",
        None,
    ),
    (
        "[ERROR]: Attempting to decrypt but no vault secrets found.\n"
        "Origin: /i/group_vars/all.yml:3:5\n\n3 a: !vault |\n",
        "Attempting to decrypt but no vault secrets found.",
        "Origin: /i/group_vars/all.yml:3:5\n\n3 a: !vault |",
    ),
    ("it died\nwithout a word of Ansible's\n", "playbook site ended with 4", "without a word of Ansible's"),
]


@pytest.mark.parametrize(("says", "first", "then"), REFUSALS)
def test_what_ansible_itself_refuses_stands_first(out: Path, says: str, first: str, then: str | None) -> None:
    (out / "log").write_text("[ERROR]: of an earlier run\n")
    (out / "says").write_text(says)
    with pytest.raises(OperationFailed) as caught:
        run(out)
    error = caught.value
    assert error.message.startswith("playbook site ended with 4")
    assert error.message.endswith(first)
    assert (error.detail or "").strip().endswith(then or "")
    assert "Traceback" not in f"{error} {error.detail}"
    assert "earlier" not in f"{error} {error.detail}"
