"""Where a host is and how it is logged into: OpenSSH's own answer to the arguments that Ansible would give it.

``ssh -G`` resolves ``~/.ssh/config`` (``Include``, ``Match`` and tokens as well) without connecting, so
precedence is OpenSSH's because it is OpenSSH that decides. The order of arguments is that of Ansible's ssh
plug-in (2.19, ``_build_command``): ``ansible_ssh_args``, port, key, user, ``ansible_ssh_common_args``,
``ansible_ssh_extra_args``; in OpenSSH the first value wins.
"""

from __future__ import annotations

import getpass
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, Literal

from rmqops.errors import InventoryError, PreflightFailed, ToolMissing
from rmqops.model.topology import Reachable
from rmqops.transport import arguments, variables

CONNECT: Final = 10.0
"""Seconds for each step of a login: TCP, key exchange, authentication."""
_ARGUMENTS: Final = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
_KEYS: Final = ("ansible_private_key_file", "ansible_ssh_private_key_file")
_PASSWORDS: Final = ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password")

Strictness = Literal["yes", "ask", "accept-new"]


@dataclass(frozen=True)
class Destination:
    """A host and how it is logged into."""

    host: str
    """As the inventory or a jump names it, with its port where that is not 22; for messages."""
    address: str
    port: int
    user: str
    known_name: str
    """How known_hosts names it: ``host``, or ``[host]:port`` where the port is not 22."""
    known_hosts: tuple[str, ...]
    """Files of known keys, the user's first; a new key goes into the first of all."""
    strict: Strictness
    identities: tuple[str, ...]
    """Private keys to try; those that are missing are passed over."""
    agent: str | None
    """The agent's socket."""
    certificates: tuple[str, ...]
    """What ``CertificateFile`` names: certificates of keys that are identities, or the agent's."""
    identities_only: bool
    """Whether the agent's other keys are not to be tried."""
    proxy_command: str | None
    jumps: tuple[Destination, ...]
    """Hosts to go through, the nearest first."""
    timeout: float = field(default=CONNECT)


def of(instance: Reachable) -> Destination:
    """Return how an instance's host is reached.

    Raises:
        InventoryError: the inventory has an ssh argument that rmqops does not honour, or a key that is missing.
        ToolMissing: there is no ssh on this machine.
        PreflightFailed: ssh cannot make sense of its configuration.
    """
    for key in _PASSWORDS:
        if key in instance.variables:
            what = "is not used: rmqops logs in by key or agent"
            remedy = "Give ansible_ssh_private_key_file, or ssh-add the key"
            raise InventoryError([variables.problem(instance, key, "", what, remedy)])
    groups = {key: _read(instance, key) for key in _ARGUMENTS}
    chosen = list(groups["ansible_ssh_args"])
    if port := variables.text(instance, "ansible_ssh_port", "ansible_port"):
        chosen += ["-p", port]
    if identity := variables.text(instance, *_KEYS):
        path = Path(identity).expanduser()
        if not path.is_file():
            what = "is not a file on this machine"
            remedy = "Correct it, or take it out to use ~/.ssh/config and the agent"
            raise InventoryError([variables.problem(instance, _KEYS[1], identity, what, remedy)])
        chosen += ["-i", str(path)]
    if user := variables.text(instance, "ansible_ssh_user", "ansible_user"):
        chosen += ["-l", user]
    chosen += [*groups["ansible_ssh_common_args"], *groups["ansible_ssh_extra_args"]]
    return _resolve(instance.host, tuple(chosen), ())


def _read(instance: Reachable, key: str) -> tuple[str, ...]:
    text = variables.text(instance, key)
    try:
        return arguments.read(text)
    except arguments.NotUnderstood as error:
        remedy = "Take it out, or write it for one host in ~/.ssh/config"
        raise InventoryError([variables.problem(instance, key, text, str(error), remedy)]) from error


@cache
def _resolve(host: str, chosen: tuple[str, ...], through: tuple[str, ...]) -> Destination:
    """Ask ssh; ``through`` are the hosts that lead to this one, to find a loop."""
    if host in through:
        raise PreflightFailed(f"{host}: the jumps to it go through itself: {' → '.join([*through, host])}")
    if host.startswith("-"):
        raise PreflightFailed(f"{host!r} is no host's name")
    settings = _ask([*chosen, host])
    first = {key: values[0] for key, values in settings.items()}
    port = int(first["port"])
    alias = first.get("hostkeyalias")
    name = (alias or first["hostname"]).lower()
    strict: Strictness = "ask"
    if first.get("stricthostkeychecking") in {"yes", "true"}:
        strict = "yes"
    elif first.get("stricthostkeychecking") == "accept-new":
        strict = "accept-new"
    tokens = {
        "%": "%", "d": str(Path.home()), "h": first["hostname"], "n": host, "p": str(port), "r": first["user"],
        "u": getpass.getuser(), "i": str(os.getuid()),
    }  # fmt: skip
    files = [*first.get("userknownhostsfile", "").split(), *first.get("globalknownhostsfile", "").split()]
    timeout = first.get("connecttimeout", "none")
    return Destination(
        host=host if port == 22 else f"{host}:{port}",
        address=first["hostname"],
        port=port,
        user=first["user"],
        known_name=name if port == 22 or alias else f"[{name}]:{port}",
        known_hosts=tuple(_expand(file, tokens) for file in files if file != "none"),
        strict=strict,
        identities=tuple(_expand(path, tokens) for path in settings.get("identityfile", ()) if path != "none"),
        agent=_agent(first.get("identityagent", ""), tokens),
        certificates=tuple(
            _expand(path, tokens) for path in settings.get("certificatefile", ()) if path != "none"
        ),
        identities_only=first.get("identitiesonly") == "yes",
        proxy_command=_proxy_command(first.get("proxycommand"), tokens),
        jumps=_jumps(first.get("proxyjump"), chosen, (*through, host)),
        timeout=float(timeout) if timeout.isdecimal() and timeout != "0" else CONNECT,
    )


def _ask(argv: Sequence[str]) -> dict[str, list[str]]:
    try:
        done = subprocess.run(
            ["ssh", "-T", "-G", *argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise ToolMissing("there is no ssh on this machine", remedy="install openssh-client") from error
    if done.returncode != 0:
        raise PreflightFailed(
            f"{argv[-1]}: ssh cannot make sense of its configuration",
            detail=done.stderr.strip(),
            remedy="correct ~/.ssh/config, or the ssh arguments in the inventory",
        )
    settings: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition(" ")
        settings.setdefault(key, []).append(value)
    return settings


def _expand(text: str, tokens: dict[str, str]) -> str:
    parts = text.split("%%")
    for token, value in tokens.items():
        parts = [part.replace(f"%{token}", value) for part in parts]
    return str(Path("%".join(parts)).expanduser())


def _agent(setting: str, tokens: dict[str, str]) -> str | None:
    if setting == "none":
        return None
    if setting in {"", "SSH_AUTH_SOCK"}:
        return os.environ.get("SSH_AUTH_SOCK") or None
    return os.environ.get(setting[1:]) if setting.startswith("$") else _expand(setting, tokens)


def _proxy_command(setting: str | None, tokens: dict[str, str]) -> str | None:
    if setting in {None, "none"}:
        return None
    parts = str(setting).split("%%")
    for token, value in tokens.items():
        parts = [part.replace(f"%{token}", value) for part in parts]
    return "%".join(parts)


def _jumps(setting: str | None, chosen: tuple[str, ...], through: tuple[str, ...]) -> tuple[Destination, ...]:
    """Resolve the hosts of ``ProxyJump``: each by the configuration file alone, as ssh does it."""
    if setting in {None, "", "none"}:
        return ()
    hops: list[Destination] = []
    for index, spec in enumerate(str(setting).split(",")):
        user, _, place = spec.removeprefix("ssh://").rpartition("@")
        host, port = _place(place)
        options = [*_file(chosen), *(("-l", user) if user else ()), *(("-p", port) if port else ())]
        # Only the first is reached by its own ProxyJump; the others through the one before.
        options += ["-o", "ProxyJump=none"] if index else []
        hop = _resolve(host, tuple(options), through)
        hops += [*hop.jumps, hop]
    return tuple(hops)


def _place(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, rest.removeprefix(":")
    host, _, port = text.partition(":")
    return host, port


def _file(chosen: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ``-F file`` among arguments: the only one that a jump takes over."""
    for index, word in enumerate(chosen):
        if word == "-F":
            return chosen[index : index + 2]
        if word.startswith("-F"):
            return (word,)
    return ()
