"""What ``ansible-playbook`` is given: an environment and extra variables in which nothing of others breaks a run.

An operator's ``ansible.cfg`` and ``ANSIBLE_*`` are for all of his playbooks. Of them a run of ours gets what says
how hosts are logged into, what an inventory means and what opens its vaults; how Ansible prints, which strategy,
callbacks and caches it takes, and where it looks for roles is decided by the ``ansible.cfg`` that travels with
rmqops. What must hold whatever an inventory says is handed over as extra variables, which stand above everything.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from rmqops import assets
from rmqops.errors import PreflightFailed, ToolMissing
from rmqops.model.topology import Reachable, Value
from rmqops.system.language import in_english_utf8
from rmqops.transport import ansible_settings, arguments, destination, login_options
from rmqops.transport.destination import Destination

_VERIFIED: Final = (
    "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ForwardAgent=no",
    "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=2",
)  # fmt: skip
"""Ask nothing, verify host keys, lend nobody the operator's keys, and give up a host that is silent in the middle
of a task, which would hold a run for ever. The first value wins in OpenSSH, so they stand before all others."""
_ALONE: Final = ("-o", "ControlMaster=no", "-o", "ControlPath=none")
_OURS: Final = frozenset({"forwardagent", "controlmaster", "controlpath", "controlpersist"})
"""What is left out of the arguments of others: some of it has flags that win over an ``-o`` before them."""
_WAY: Final = frozenset({"proxyjump", "proxycommand"})
_LENDS_AGENT: Final = re.compile(r"-[A-Za-z0-9]*A[A-Za-z0-9]*")
_SOCKETS: Final = "~/.ansible/cp"
_LONGEST_SOCKET: Final = 107 - len(".0123456789abcdef")
"""Bytes of a socket's name (unix(7)), less what ssh appends while it makes it."""

HANDED: Final[Mapping[str, tuple[str, ...]]] = {
    # how hosts are logged into, beside the arguments of ssh
    "DEFAULT_PRIVATE_KEY_FILE": ("ANSIBLE_PRIVATE_KEY_FILE",),
    "DEFAULT_REMOTE_USER": ("ANSIBLE_REMOTE_USER",),
    "connection/ssh/port": ("ANSIBLE_REMOTE_PORT",),
    "connection/ssh/pipelining": ("ANSIBLE_PIPELINING", "ANSIBLE_SSH_PIPELINING"),
    "connection/ssh/reconnection_retries": ("ANSIBLE_SSH_RETRIES",),
    "connection/ssh/sftp_batch_mode": ("ANSIBLE_SFTP_BATCH_MODE",),
    "connection/ssh/ssh_transfer_method": ("ANSIBLE_SSH_TRANSFER_METHOD",),
    "connection/ssh/use_tty": ("ANSIBLE_SSH_USETTY",),
    "DEFAULT_BECOME": ("ANSIBLE_BECOME",),
    "become/sudo/become_user": ("ANSIBLE_BECOME_USER", "ANSIBLE_SUDO_USER"),
    # where Ansible works, here and on the hosts
    "ANSIBLE_HOME": ("ANSIBLE_HOME",),
    "DEFAULT_LOCAL_TMP": ("ANSIBLE_LOCAL_TEMP",),
    "INTERPRETER_PYTHON": ("ANSIBLE_PYTHON_INTERPRETER",),
    "shell/sh/remote_tmp": ("ANSIBLE_REMOTE_TEMP", "ANSIBLE_REMOTE_TMP"),
    # what opens vaults
    "DEFAULT_VAULT_IDENTITY": ("ANSIBLE_VAULT_IDENTITY",),
    "DEFAULT_VAULT_IDENTITY_LIST": ("ANSIBLE_VAULT_IDENTITY_LIST",),
    "DEFAULT_VAULT_ID_MATCH": ("ANSIBLE_VAULT_ID_MATCH",),
    "DEFAULT_VAULT_PASSWORD_FILE": ("ANSIBLE_VAULT_PASSWORD_FILE",),
    # what an inventory means
    "COLLECTIONS_PATHS": ("ANSIBLE_COLLECTIONS_PATH",),
    "COLLECTIONS_SCAN_SYS_PATH": ("ANSIBLE_COLLECTIONS_SCAN_SYS_PATH",),
    "DEFAULT_FILTER_PLUGIN_PATH": ("ANSIBLE_FILTER_PLUGINS",),
    "DEFAULT_HASH_BEHAVIOUR": ("ANSIBLE_HASH_BEHAVIOUR",),
    "DEFAULT_INVENTORY_PLUGIN_PATH": ("ANSIBLE_INVENTORY_PLUGINS",),
    "DEFAULT_LOOKUP_PLUGIN_PATH": ("ANSIBLE_LOOKUP_PLUGINS",),
    "DEFAULT_TEST_PLUGIN_PATH": ("ANSIBLE_TEST_PLUGINS",),
    "DEFAULT_VARS_PLUGIN_PATH": ("ANSIBLE_VARS_PLUGINS",),
    "INVENTORY_ANY_UNPARSED_IS_FAILED": ("ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED",),
    "INVENTORY_ENABLED": ("ANSIBLE_INVENTORY_ENABLED",),
    "INVENTORY_IGNORE_EXTS": ("ANSIBLE_INVENTORY_IGNORE",),
    "INVENTORY_IGNORE_PATTERNS": ("ANSIBLE_INVENTORY_IGNORE_REGEX",),
    "INVENTORY_UNPARSED_IS_FAILED": ("ANSIBLE_INVENTORY_UNPARSED_FAILED",),
    "TRANSFORM_INVALID_GROUP_CHARS": ("ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS",),
    "VARIABLE_PLUGINS_ENABLED": ("ANSIBLE_VARS_ENABLED",),
    "VARIABLE_PRECEDENCE": ("ANSIBLE_PRECEDENCE",),
    "YAML_FILENAME_EXTENSIONS": ("ANSIBLE_YAML_FILENAME_EXT",),
}
"""The settings of others that a run gets, and the variables that carry each, the strongest last."""
_OF_INVENTORIES: Final = ("inventory/", "vars/")
"""Plug-ins of which every setting is part of what an inventory means."""
_BY_VARIABLES: Final = frozenset({f"connection/ssh/{name}" for name in login_options.OPTIONS})
_FOR_OTHER_PROGRAMS: Final = re.compile(
    r"CONFIG_FILE|DEFAULT_HOST_LIST|DEFAULT_TIMEOUT|DEFAULT_REMOTE_PORT|.*GALAXY.*|DEFAULT_BECOME_USER|"
    r"ANSIBLE_PIPELINING|BECOME_PASSWORD_FILE|become/sudo/become_pass|(?:become|connection|shell)/(?!ssh/|sudo/|sh/).*"
)


def environment(events: Path, forks: int) -> dict[str, str]:
    """Return the environment of a run.

    Args:
        events: Where our callback writes.
        forks: How many hosts are worked on at once.

    Raises:
        InventoryError: Ansible cannot read its settings.
        PreflightFailed: this machine has no locale in UTF-8.
    """
    kept = {name: value for name, value in os.environ.items() if not _is_a_setting(name)}
    for name, setting in ansible_settings.asked().items():
        if setting.variable is None and (carriers := _carriers(name)):
            kept[carriers[-1]] = _text(setting.value)
    return {
        **in_english_utf8(kept),
        "ANSIBLE_CONFIG": str(assets.path("ansible.cfg")),
        "ANSIBLE_CALLBACK_PLUGINS": str(assets.path("playbooks", "callback_plugins")),
        "ANSIBLE_CALLBACKS_ENABLED": "rmqops_events",
        "ANSIBLE_FORKS": str(forks),
        "ANSIBLE_NOCOLOR": "1",
        "RMQOPS_EVENTS": str(events),
        "SSH_ASKPASS_REQUIRE": "never",
    }


def left_out() -> tuple[str, ...]:
    """Return the settings of others that a run does not get, each with where it stands; for the run's log."""
    own = str(assets.path("ansible.cfg"))
    return tuple(
        f"{setting.origin}: {name}"
        for name, setting in ansible_settings.asked().items()
        if setting.origin != own
        and not _carriers(name)
        and name not in _BY_VARIABLES
        and not _FOR_OTHER_PROGRAMS.fullmatch(name)
    )


def variables(hosts: Sequence[Reachable]) -> dict[str, Value]:
    """Return the extra variables by which every host is logged into as rmqops itself does it, or more strictly.

    Args:
        hosts: Those of the inventory that a playbook may touch.

    Raises:
        InventoryError: an ssh argument is not one that rmqops honours.
        PreflightFailed: ssh cannot make sense of its configuration, or somebody else could use our connections.
    """
    logins: dict[str, Value] = {host.name: _login(host) for host in hosts if host.connection != "local"}
    mine = "(rmqops_logins[inventory_hostname] | default({}))"
    return {
        "rmqops_logins": logins,
        "ansible_ssh_args": f"{{{{ {mine}['ssh'] | default('{shlex.join((*_VERIFIED, *_ALONE))}') }}}}",
        **{
            f"ansible_{name}_args": f"{{{{ {mine}['{name}'] | default('') }}}}"
            for name in ("ssh_common", "ssh_extra", "sftp_extra", "scp_extra")
        },
        "ansible_ssh_timeout": f"{{{{ {mine}['timeout'] | default({int(destination.CONNECT)}) }}}}",
        "ansible_ssh_host_key_checking": True,
    }


def _login(host: Reachable) -> dict[str, Value]:
    login, target = destination.login_of(host), destination.of(host)
    way = _way(target, arguments.file_of(login.words))
    without = _OURS | _WAY if way else _OURS
    shared = _shared(host, login.words)
    return {
        "ssh": shlex.join((*_VERIFIED, *shared, *way, *arguments.without(login.ssh_args, without))),
        "ssh_common": shlex.join(arguments.without(login.ssh_common_args, without)),
        "ssh_extra": shlex.join(arguments.without(login.ssh_extra_args, without)),
        "sftp_extra": _without_agent(host, "sftp_extra_args"),
        "scp_extra": _without_agent(host, "scp_extra_args"),
        # Also how long sudo may take to ask, so never less than usual.
        "timeout": max(int(target.timeout), int(destination.CONNECT)),
    }


def _shared(host: Reachable, words: Sequence[str]) -> tuple[str, ...]:
    """Return what keeps a connection for the next task, in a socket that only runs of ours use.

    A connection that somebody else has opened may be unverified, and lend his agent.
    """
    chosen = login_options.of(host, "control_path_dir")
    directory = Path(chosen.text if chosen else _SOCKETS).expanduser().absolute() / "rmqops"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        seen = directory.lstat()
    except OSError:
        return _ALONE
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid() or seen.st_mode & 0o022:
        raise PreflightFailed(
            f"{directory} is not this user's alone, and connections are kept there",
            remedy="remove it, or name a directory of your own by control_path_dir",
        )
    name = hashlib.sha256("\0".join((host.host, *words)).encode("utf-8", "surrogateescape")).hexdigest()[:10]
    socket = directory / name
    if len(os.fsencode(socket)) > _LONGEST_SOCKET:
        return _ALONE
    path = str(socket).replace("%", "%%")
    return ("-o", "ControlMaster=auto", "-o", "ControlPersist=60s", "-o", f'ControlPath="{path}"')


def _without_agent(host: Reachable, name: str) -> str:
    chosen = login_options.of(host, name)
    words = shlex.split(chosen.text) if chosen else []
    return shlex.join(word for word in words if not _LENDS_AGENT.fullmatch(word))


def _way(target: Destination, file: tuple[str, ...]) -> tuple[str, ...]:
    """Return what leads through the hosts on the way.

    ssh itself would start one for them with none of our options, and verify them as its configuration says.
    """
    if not target.jumps:
        return ()
    return ("-o", f"ProxyCommand={shlex.join(_through(target.jumps, file))}", "-o", "ProxyJump=none")


def _through(hops: Sequence[Destination], file: tuple[str, ...]) -> tuple[str, ...]:
    *nearer, last = hops
    way: tuple[str, ...] = ("-o", "ProxyJump=none")
    if nearer:
        command = shlex.join(_through(nearer, file)).replace("%", "%%")
        way = ("-o", f"ProxyCommand={command}", *way)
    user = ("-l", last.user, "-p", str(last.port))
    return ("ssh", *file, *_VERIFIED, "-S", "none", *way, *user, "-W", "[%h]:%p", last.name)


def _carriers(name: str) -> tuple[str, ...]:
    """Return the variables that carry a setting into a run; none of one that is left out."""
    if name in HANDED or not name.startswith(_OF_INVENTORIES):
        return HANDED.get(name, ())
    kind, plugin, option = name.split("/", 2)
    entry = _listed().get("PLUGINS", {}).get(kind, {}).get(plugin, {}).get(option, {})
    return tuple(_names({"env": entry.get("env", [])}))


def _is_a_setting(name: str) -> bool:
    """Tell whether a variable of the environment sets something in Ansible that a run of ours does not get.

    An inventory may look up any other one, whatever it is called.
    """
    if not name.startswith(("ANSIBLE_", "_ANSIBLE_")) or name.startswith(("ANSIBLE_INVENTORY_", "ANSIBLE_VARS_")):
        return False
    return all(name not in names for names in HANDED.values()) and name in _known()


@cache
def _known() -> frozenset[str]:
    """Return every variable that Ansible takes a setting from."""
    return frozenset({"ANSIBLE_CONFIG", *_names(_listed())})


@cache
def _listed() -> dict[str, Any]:
    """Return all settings that there are, by asking Ansible."""
    program = Path(sys.executable).with_name("ansible-config")
    try:
        done = subprocess.run(
            [program, "list", "--type", "all", "--format", "json"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**in_english_utf8(_foreign()), "ANSIBLE_CONFIG": str(assets.path("ansible.cfg"))},
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise ToolMissing(
            f"{program} does not answer", remedy="install rmqops with its dependencies: pip install rmqops"
        ) from error
    return cast("dict[str, Any]", json.loads(done.stdout))


def _foreign() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "_ANSIBLE_"))}


def _names(document: object) -> Iterator[str]:
    if isinstance(document, list):
        for item in document:
            yield from _names(item)
    elif isinstance(document, dict):
        for key, value in document.items():
            if key == "env" and isinstance(value, list):
                yield from (str(entry["name"]) for entry in value)
            else:
                yield from _names(value)


def _text(value: Value) -> str:
    if isinstance(value, list):
        paths = all(str(item).startswith("/") for item in value)
        return (":" if paths else ",").join(map(str, value))
    return str(value)
