"""The options of Ansible's ssh connection, one by one: where each may be set, and what becomes of it here.

Names and their order are those of ansible-core 2.19, ``plugins/connection/ssh.py``: of several variables the last
one that is set wins, any variable stands above the environment, and that above ``ansible.cfg``. A test holds this
table to the plug-in's own.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from rmqops.errors import InventoryError, Problem
from rmqops.model.ansible import truthy
from rmqops.model.topology import Reachable
from rmqops.transport import ansible_settings, variables

Treatment = Literal["both halves", "Ansible's half", "ours", "refused", "without effect"]
_BY_KEY: Final = "rmqops logs in by key or agent: give ansible_ssh_private_key_file, or ssh-add the key"


@dataclass(frozen=True)
class LoginOption:
    """An option of the plug-in.

    One for *both halves* decides how both log in, one for *Ansible's half* how that moves files; *ours* is decided
    by rmqops whatever anybody says; one that is *refused* cannot be had; one *without effect* has none for a login
    by key.
    """

    treatment: Treatment
    variables: tuple[str, ...] = ()
    remedy: str = ""


OPTIONS: Final[Mapping[str, LoginOption]] = {
    "host": LoginOption("both halves", ("inventory_hostname", "ansible_host", "ansible_ssh_host")),
    "host_key_checking": LoginOption(
        "ours",
        ("ansible_host_key_checking", "ansible_ssh_host_key_checking"),
        "host keys are verified all the same; --accept-new-host-keys takes those of new hosts",
    ),
    "password": LoginOption("refused", ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password"), _BY_KEY),
    "password_mechanism": LoginOption("without effect", ("ansible_ssh_password_mechanism",)),
    "sshpass_prompt": LoginOption("without effect", ("ansible_sshpass_prompt",)),
    "ssh_args": LoginOption("both halves", ("ansible_ssh_args",)),
    "ssh_common_args": LoginOption("both halves", ("ansible_ssh_common_args",)),
    "ssh_executable": LoginOption("refused", ("ansible_ssh_executable",), "put it first in PATH, named ssh"),
    "sftp_executable": LoginOption("refused", ("ansible_sftp_executable",), "put it first in PATH, named sftp"),
    "scp_executable": LoginOption("refused", ("ansible_scp_executable",), "put it first in PATH, named scp"),
    "scp_extra_args": LoginOption("Ansible's half", ("ansible_scp_extra_args",)),
    "sftp_extra_args": LoginOption("Ansible's half", ("ansible_sftp_extra_args",)),
    "ssh_extra_args": LoginOption("both halves", ("ansible_ssh_extra_args",)),
    "reconnection_retries": LoginOption("Ansible's half", ("ansible_ssh_retries",)),
    "port": LoginOption("both halves", ("ansible_port", "ansible_ssh_port")),
    "remote_user": LoginOption("both halves", ("ansible_user", "ansible_ssh_user")),
    "pipelining": LoginOption("Ansible's half", ("ansible_pipelining", "ansible_ssh_pipelining")),
    "private_key_file": LoginOption("both halves", ("ansible_private_key_file", "ansible_ssh_private_key_file")),
    "private_key": LoginOption("refused", ("ansible_private_key", "ansible_ssh_private_key"), _BY_KEY),
    "private_key_passphrase": LoginOption(
        "refused", ("ansible_private_key_passphrase", "ansible_ssh_private_key_passphrase"), _BY_KEY
    ),
    "control_path": LoginOption("ours", ("ansible_control_path",)),
    "control_path_dir": LoginOption("Ansible's half", ("ansible_control_path_dir",)),
    "sftp_batch_mode": LoginOption("Ansible's half", ("ansible_sftp_batch_mode",)),
    "ssh_transfer_method": LoginOption("Ansible's half", ("ansible_ssh_transfer_method",)),
    "use_tty": LoginOption("Ansible's half", ("ansible_ssh_use_tty",)),
    "timeout": LoginOption("both halves", ("ansible_ssh_timeout",)),
    "pkcs11_provider": LoginOption(
        "refused", ("ansible_ssh_pkcs11_provider",), "let the agent use it: ssh-add -s PROVIDER"
    ),
    "verbosity": LoginOption("without effect", ("ansible_ssh_verbosity",)),
}
"""By the plug-in's name of it."""
# ansible-playbook takes these for what its command line would say, and that stands above the plug-in's own.
_COMMAND_LINE: Final = {"private_key_file": "DEFAULT_PRIVATE_KEY_FILE", "remote_user": "DEFAULT_REMOTE_USER"}


@dataclass(frozen=True)
class Chosen:
    """What an option is for an instance, and who said so."""

    text: str
    file: str
    """For messages: the inventory, the path of an ``ansible.cfg``, or the environment's variable."""
    key: str
    host: str | None

    def problem(self, message: str, remedy: str, *, found: str | None = None) -> InventoryError:
        """Return the error of a value that cannot be."""
        shown = self.text if found is None else found
        return InventoryError([Problem(self.file, self.host, self.key, shown, message, remedy)])


def of(instance: Reachable, name: str) -> Chosen | None:
    """Return what an option is for an instance; None where nobody has set it.

    Raises:
        InventoryError: a variable cannot be resolved, or Ansible cannot read its settings.
    """
    found = variables.given(instance, *OPTIONS[name].variables)
    if found:
        return Chosen(found[1], "the inventory", found[0], instance.name)
    setting = setting_of(name)
    return Chosen(_text(setting.value), setting.origin, name, None) if setting else None


def setting_of(name: str) -> ansible_settings.Setting | None:
    """Return what ``ansible.cfg`` or the environment say of an option; None where they say nothing.

    Raises:
        InventoryError: Ansible cannot read its settings.
    """
    settings = ansible_settings.asked()
    return settings.get(_COMMAND_LINE.get(name, ""), settings.get(f"connection/ssh/{name}"))


def refuse(instance: Reachable) -> None:
    """Complain of a variable without which rmqops would log in in another way than Ansible.

    Raises:
        InventoryError: there is one.
    """
    for name, option in OPTIONS.items():
        found = variables.given(instance, *option.variables) if option.treatment == "refused" else None
        if found and found[1] and not _is_the_usual_program(name, found[1]):
            message = "is not used: rmqops cannot log in by it"
            raise Chosen(found[1], "the inventory", found[0], instance.name).problem(
                message, f"{option.remedy[0].upper()}{option.remedy[1:]}", found=""
            )


def left_out(hosts: Iterable[Reachable]) -> tuple[str, ...]:
    """Return a sentence for each setting of a login that is not followed, wherever it stands.

    Raises:
        InventoryError: a variable cannot be resolved, or Ansible cannot read its settings.
    """
    checking = OPTIONS["host_key_checking"]
    given = (variables.given(host, *checking.variables) for host in hosts)
    names = dict.fromkeys(found[0] for found in given if found and not truthy(found[1]))
    told = [f"the inventory: {name} is left out: {checking.remedy}" for name in names]
    for name, option in OPTIONS.items():
        setting = setting_of(name)
        if setting is None or not option.remedy or _is_the_usual_program(name, str(setting.value)):
            continue
        if name == "host_key_checking" and setting.value is not False:
            continue
        told.append(f"{setting.origin}: {name} is left out: {option.remedy}")
    settings = ansible_settings.asked()
    for name, (spelled, remedy) in _OTHERS.items():
        if name in settings and settings[name].value not in _USUAL:
            told.append(f"{settings[name].origin}: {spelled} is left out: {remedy}")
    return tuple(told)


_OTHERS: Final[Mapping[str, tuple[str, str]]] = {
    "DEFAULT_TRANSPORT": ("transport", "hosts without ansible_connection are reached by ssh"),
    "DEFAULT_ASK_PASS": ("ask_pass", _BY_KEY),
    "CONNECTION_PASSWORD_FILE": ("connection_password_file", _BY_KEY),
    "DEFAULT_ASK_VAULT_PASS": (
        "ask_vault_pass",
        "nobody is asked in the middle; name a file by vault_password_file",
    ),
    "DEFAULT_BECOME_ASK_PASS": ("become_ask_pass", "give --ask-become-pass (-K) where sudo wants a password"),
    "DEFAULT_BECOME_METHOD": ("become_method", "rmqops becomes another user by sudo"),
    "become/sudo/become_exe": ("become_exe", "put it first in PATH on the hosts, named sudo"),
    "become/sudo/become_flags": ("become_flags", "rmqops gives sudo flags of its own"),
}
"""Settings beside the plug-in's own: how each is spelled, and what to do instead."""
_USUAL: Final = (False, "ssh", "smart", "ansible.builtin.ssh", "sudo", "ansible.builtin.sudo", "-H -S -n")
"""Values of those that say what rmqops does anyway."""


def _is_the_usual_program(name: str, value: str) -> bool:
    usual = name.removesuffix("_executable")
    return usual != name and shutil.which(value) == shutil.which(usual)


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
