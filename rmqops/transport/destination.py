"""Where a host is and how it is logged into: OpenSSH's own answer to the arguments that Ansible would give it.

The order of the arguments is that of Ansible's ssh plug-in (2.19, ``_build_command``): ``ssh_args``, port, key,
user, timeout, ``ssh_common_args``, ``ssh_extra_args``; in OpenSSH the first value wins. Who says what each of them
is: :mod:`rmqops.transport.login_options`.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, Literal

from rmqops.errors import PreflightFailed
from rmqops.model.topology import Reachable
from rmqops.transport import arguments, login_options, openssh
from rmqops.transport.login_options import Chosen
from rmqops.transport.openssh import Answer

CONNECT: Final = 10.0
"""Seconds for each step of a login: TCP, key exchange, authentication."""
_GROUPS: Final = ("ssh_args", "ssh_common_args", "ssh_extra_args")
_FAMILIES: Final = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}
_NO_HOST: Final = re.compile(r"""-.*|.*['"`$\\;&<>|(){}\s\x00-\x1f\x7f].*""", re.DOTALL)
_NO_USER: Final = re.compile(r"""-.*|.*['"`;&<>|(){}\x00-\x1f\x7f].*|.*\s-.*|.*\\""", re.DOTALL)
"""What OpenSSH from 9.6 on takes for no host's and no user's name (``valid_hostname``, ``valid_ruser`` of its
ssh.c): a proxy's command is run by a shell, which would read them as more than names (CVE-2023-51385)."""

Strictness = Literal["yes", "ask", "accept-new"]


@dataclass(frozen=True)
class Algorithms:
    """The algorithms that somebody has chosen, by OpenSSH's names, the preferred first; none: any that is good."""

    ciphers: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()
    key_exchanges: tuple[str, ...] = ()
    host_keys: tuple[str, ...] = ()
    login_keys: tuple[str, ...] = ()
    rsa_bits: int = 0
    """The fewest that an RSA key may have."""


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
    """Files of known keys, the user's first."""
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
    name: str = ""
    """As ssh is to be told it, so that the same part of its configuration counts."""
    shared_hosts: tuple[str, ...] = ()
    """Those of the files of known keys that are trusted for other users as well: no key is written there."""
    named_identities: tuple[str, ...] = ()
    """Those of the private keys that somebody has named; the others ssh tries by itself."""
    by_key: bool = True
    """Whether a login by key is allowed at all."""
    algorithms: Algorithms = Algorithms()
    family: int = socket.AF_UNSPEC
    bind: str | None = None
    """The address of this machine to come from."""
    not_honoured: tuple[tuple[str, str, str], ...] = ()
    """Options that rmqops cannot do: name, value, what to do instead. Without one the host does not let us in."""


@dataclass(frozen=True)
class Login:
    """The arguments that say how an instance is reached, as Ansible's ssh plug-in orders them."""

    host: str
    ssh_args: tuple[str, ...]
    options: tuple[str, ...]
    """What the plug-in makes of port, key, user and timeout."""
    ssh_common_args: tuple[str, ...]
    ssh_extra_args: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """All of them in order."""
        return (*self.ssh_args, *self.options, *self.ssh_common_args, *self.ssh_extra_args)


def of(instance: Reachable) -> Destination:
    """Return how an instance's host is reached.

    Raises:
        InventoryError: there is an ssh argument that rmqops does not honour, or a key that is missing.
        ToolMissing: there is no ssh on this machine.
        PreflightFailed: ssh cannot make sense of its configuration, or has an option that rmqops cannot do.
    """
    login = login_of(instance)
    return _resolve(login.host, login.words, ())


def login_of(instance: Reachable) -> Login:
    """Return the arguments for an instance's host.

    Raises:
        InventoryError: there is one that rmqops does not honour, or a key that is missing.
    """
    login_options.refuse(instance)
    groups = {name: _read(instance, name) for name in _GROUPS}
    options: list[str] = []
    if (port := login_options.of(instance, "port")) and port.text:
        options += ["-p", port.text]
    if (identity := login_options.of(instance, "private_key_file")) and identity.text:
        options += ["-o", f'IdentityFile="{_key(identity)}"']
    if (user := login_options.of(instance, "remote_user")) and user.text:
        options += ["-l", user.text]
    if (timeout := login_options.of(instance, "timeout")) and timeout.text:
        options += ["-o", f"ConnectTimeout={timeout.text}"]
    return Login(
        instance.host, groups["ssh_args"], tuple(options), groups["ssh_common_args"], groups["ssh_extra_args"]
    )


def _key(identity: Chosen) -> Path:
    path = Path(identity.text).expanduser()
    if identity.host and not path.is_file():
        raise identity.problem(
            "is not a file on this machine", "Correct it, or take it out to use ~/.ssh/config and the agent"
        )
    return path


def _read(instance: Reachable, name: str) -> tuple[str, ...]:
    chosen = login_options.of(instance, name)
    if chosen is None:
        return ()
    try:
        words = arguments.read(chosen.text)
        # In a file that is for other playbooks as well it says nothing to rmqops, as in ~/.ssh/config.
        if chosen.host and (value := arguments.without_verification(words)):
            raise arguments.NotUnderstood(
                f"StrictHostKeyChecking={value} turns host keys off, and rmqops always verifies them",
                "Take it out; accept-new takes the keys of new hosts",
            )
    except arguments.NotUnderstood as error:
        raise chosen.problem(str(error), error.remedy) from error
    return words


def _refuse_names(host: str, user: str) -> None:
    """Refuse names that a shell would read as more, for the older releases of OpenSSH that do not."""
    for pattern, name, what in ((_NO_HOST, host, "host"), (_NO_USER, user, "user")):
        if pattern.fullmatch(name):
            raise PreflightFailed(
                f"{name!r} is no {what}'s name", remedy="correct it in the inventory or in ssh's configuration"
            )


@cache
def _resolve(host: str, chosen: tuple[str, ...], through: tuple[str, ...]) -> Destination:
    """Ask ssh; ``through`` are the hosts that lead to this one, to find a loop."""
    if host in through:
        raise PreflightFailed(f"{host}: the jumps to it go through itself: {' → '.join([*through, host])}")
    _refuse_names(host, "")
    answer = openssh.ask([*chosen, host])
    _refuse_names(host, answer.first("user"))
    port = int(answer.first("port"))
    alias = answer.first("hostkeyalias")
    address, user = answer.first("hostname"), answer.first("user")
    name = (alias or address).lower()
    tokens = {
        "%": "%", "d": openssh.home(), "h": address, "n": host, "p": str(port), "r": user,
        "u": getpass.getuser(), "i": str(os.getuid()), "k": alias or host, "j": answer.first("proxyjump"),
        "L": socket.gethostname().partition(".")[0], "l": socket.gethostname(),
    }  # fmt: skip
    shared = answer.files("globalknownhostsfile")
    timeout = answer.first("connecttimeout")
    own_keys = openssh.own_identities()
    return Destination(
        host=host if port == 22 else f"{host}:{port}",
        name=host,
        address=address,
        port=port,
        user=user,
        known_name=name if port == 22 or alias else f"[{name}]:{port}",
        known_hosts=tuple(openssh.path(file, tokens) for file in (*answer.files("userknownhostsfile"), *shared)),
        shared_hosts=tuple(openssh.path(file, tokens) for file in (*shared, *openssh.shared_known_hosts())),
        strict=_strictness(answer),
        identities=tuple(openssh.path(file, tokens) for file in answer.all("identityfile")),
        named_identities=tuple(
            openssh.path(file, tokens) for file in answer.all("identityfile") if file not in own_keys
        ),
        agent=_agent(answer.first("identityagent"), tokens),
        certificates=tuple(openssh.path(file, tokens) for file in answer.all("certificatefile")),
        identities_only=answer.first("identitiesonly") == "yes",
        proxy_command=_proxy_command(answer, tokens),
        jumps=_jumps(answer.first("proxyjump"), chosen, (*through, host)),
        timeout=float(timeout) if timeout.isdecimal() and timeout != "0" else CONNECT,
        by_key=answer.first("pubkeyauthentication") not in {"no", "false"},
        algorithms=_algorithms(answer),
        family=_FAMILIES.get(answer.first("addressfamily"), socket.AF_UNSPEC),
        bind=answer.first("bindaddress") or None,
        not_honoured=answer.not_honoured,
    )


def _strictness(answer: Answer) -> Strictness:
    value = answer.first("stricthostkeychecking")
    if value in {"yes", "true"}:
        return "yes"
    return "accept-new" if value == "accept-new" else "ask"


def _algorithms(answer: Answer) -> Algorithms:
    def listed(name: str) -> tuple[str, ...]:
        return tuple(filter(None, answer.chosen(name).split(",")))

    bits = answer.chosen("requiredrsasize")
    return Algorithms(
        ciphers=listed("ciphers"),
        macs=listed("macs"),
        key_exchanges=listed("kexalgorithms"),
        host_keys=listed("hostkeyalgorithms"),
        login_keys=listed("pubkeyacceptedalgorithms"),
        rsa_bits=int(bits) if bits.isdecimal() else 0,
    )


def _agent(setting: str, tokens: Mapping[str, str]) -> str | None:
    if setting == "none":
        return None
    if setting in {"", "SSH_AUTH_SOCK"}:
        return os.environ.get("SSH_AUTH_SOCK") or None
    return os.environ.get(setting[1:]) if setting.startswith("$") else openssh.path(setting, tokens)


def _proxy_command(answer: Answer, tokens: Mapping[str, str]) -> str | None:
    setting = answer.first("proxycommand")
    if setting in {"", "none"}:
        return None
    return openssh.expanded(setting, tokens)


def _jumps(setting: str, chosen: tuple[str, ...], through: tuple[str, ...]) -> tuple[Destination, ...]:
    """Resolve the hosts of ``ProxyJump``: each by the configuration file alone, as ssh does it."""
    if setting in {"", "none"}:
        return ()
    hops: list[Destination] = []
    for index, spec in enumerate(setting.split(",")):
        user, _, place = spec.removeprefix("ssh://").rpartition("@")
        host, port = _place(place)
        options = [*arguments.file_of(chosen), *(("-l", user) if user else ()), *(("-p", port) if port else ())]
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
