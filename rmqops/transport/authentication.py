"""Our keys, in the order in which a host is offered them; what fabric takes as an authentication strategy.

First the files that ssh's configuration or the inventory names, then the agent's other keys unless
``IdentitiesOnly``. OpenSSH asks the agent first; files first spares a host that ends the connection after six
attempts the keys that are for other hosts. A key is offered with its certificates (``CertificateFile``,
``KEY-cert.pub``) before it is offered alone, as by OpenSSH. A key that cannot be read here, such as one with a
passphrase or a security key, is used by the agent where that holds it.
"""

from __future__ import annotations

import base64
import copy
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import paramiko
from cryptography.exceptions import (
    UnsupportedAlgorithm,
)  # what reads keys for paramiko, whose error it lets through
from paramiko.agent import AgentKey, AgentSSH
from paramiko.auth_strategy import AuthFailure, AuthResult, AuthSource, AuthStrategy, InMemoryPrivateKey
from paramiko.message import Message
from paramiko.pkey import PKey, PublicBlob, UnknownKeyType

from rmqops.errors import LoginRefused
from rmqops.model.secret import Secret
from rmqops.transport import algorithms
from rmqops.transport.destination import Destination

_AGENT_TIMEOUT: Final = 30
"""Seconds for one answer of the agent, which may ask a person to confirm."""
_UNREADABLE: Final = (ValueError, TypeError, OSError, paramiko.SSHException, UnknownKeyType, UnsupportedAlgorithm)


class NotAccepted(paramiko.AuthenticationException):
    """A key that did not let us in, or could not be offered: which, and why."""

    def __init__(self, reason: str, remedy: str | None = None) -> None:
        super().__init__(reason)
        self.remedy = remedy


class KeyStrategy(AuthStrategy):
    """Offers a destination's keys one after the other, until one is taken or the host takes no more."""

    def __init__(
        self,
        *,
        target: Destination,
        passphrase: Secret | None = None,
        username: str,
        ssh_config: paramiko.SSHConfig,
        fabric_config: object = None,
    ) -> None:
        super().__init__(ssh_config=ssh_config)
        self._target = target
        self._username = username
        self._passphrase = passphrase
        self._agent: _Agent | None = None
        self._transport: paramiko.Transport | None = None

    def authenticate(self, transport: paramiko.Transport) -> AuthResult:
        """Log in.

        Raises:
            AuthFailure: no key was accepted; its results are :class:`NotAccepted`.
        """
        self._transport = transport
        self._agent = _Agent.behind(self._target.agent)
        try:
            return super().authenticate(transport)  # type: ignore[return-value]
        finally:
            if self._agent is not None:
                self._agent.close()

    def get_sources(self) -> Iterator[AuthSource]:
        """Yield what to try, as long as trying makes sense."""
        for source in self._candidates():
            yield source
            if isinstance(source, _Key) and source.pointless:
                return
            if self._transport is not None and not self._transport.is_active():
                return

    def _candidates(self) -> Iterator[AuthSource]:
        target = self._target
        if not target.by_key:
            reason = "PubkeyAuthentication is no: ssh is configured to offer no key"
            yield _Unusable(self._username, NotAccepted(reason, "set PubkeyAuthentication to yes for this host"))
            return
        agent_keys = {key.asbytes(): key for key in self._agent.get_keys()} if self._agent else {}
        certificates: list[_Certificate] = []
        for path in target.certificates:
            try:
                certificates.append(_Certificate(path, PublicBlob.from_file(path)))
            except (OSError, ValueError, paramiko.SSHException) as error:
                reason = f"CertificateFile {path}: cannot be read as a certificate ({error})"
                yield _Unusable(self._username, NotAccepted(reason, f"correct CertificateFile {path}"))
        offered: set[bytes] = set()
        for path in target.identities:
            if not Path(path).is_file():
                if path in target.named_identities:
                    yield _Unusable(self._username, NotAccepted(f"{path}: there is no such file"))
                continue
            try:
                key = self._load(path, agent_keys)
            except NotAccepted as error:
                yield _Unusable(self._username, error)
                continue
            offered.add(key.asbytes())
            yield from self._with_certificates(path, key, [*certificates, *_beside(path)])
        for blob, agent_key in agent_keys.items():
            if blob in offered:
                continue
            what = f"agent key {agent_key.get_name()}"
            keys = list(self._with_certificates(what, agent_key, certificates))
            # A certificate that is named names its key too; the others are for hosts without IdentitiesOnly.
            yield from keys if not target.identities_only else keys[:-1]
        yield from (
            _Unusable(self._username, certificate.not_used())
            for certificate in certificates
            if not certificate.used
        )

    def _load(self, path: str, agent_keys: dict[bytes, AgentKey]) -> PKey:
        """Return the key of a file, or the agent's that belongs to it.

        Raises:
            NotAccepted: neither can be used.
        """
        try:
            key = PKey.from_path(path, self._passphrase.reveal().encode() if self._passphrase else None)  # type: ignore[arg-type]
        except _UNREADABLE as error:
            held = agent_keys.get(_public_half(path))
            if held is None:
                raise _unreadable(path, error, tried=self._passphrase is not None) from error
            return held
        key.public_blob = None  # its certificate is offered by _with_certificates
        return key

    def _with_certificates(self, what: str, key: PKey, certificates: list[_Certificate]) -> Iterator[AuthSource]:
        if reason := algorithms.why_not_offered(key, self._target.algorithms):
            yield _Unusable(self._username, NotAccepted(f"{what}: {reason}"))
            return
        for certificate in certificates:
            if certificate.is_for(key):
                certificate.used = True
                yield _Key(self._username, f"{what} with {certificate.path}", certificate.on(key))
        yield _Key(self._username, what, key)


class _Key(InMemoryPrivateKey):
    """One key, told apart in what is said of it."""

    def __init__(self, username: str, what: str, pkey: PKey) -> None:
        super().__init__(username, pkey)
        self.what = what
        self.pointless = False
        """Whether the host takes no key at all."""

    def authenticate(self, transport: paramiko.Transport) -> list[str]:
        """Offer it; only a login that is complete is one."""
        try:
            missing = super().authenticate(transport)
        except paramiko.BadAuthenticationType as error:
            self.pointless = True
            kinds = ", ".join(error.allowed_types)
            raise NotAccepted(f"the host takes {kinds} only, and no key") from error
        except paramiko.AuthenticationException as error:
            raise NotAccepted(f"{self.what}: refused") from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            ended = "" if transport.is_active() else "the host ended the connection: "
            raise NotAccepted(f"{self.what}: {ended}{error}") from error
        if missing:
            raise NotAccepted(f"{self.what}: accepted, but the host wants {', '.join(missing)} as well")
        return missing


class _Unusable(AuthSource):
    """A key that cannot be offered; it stands among the others so that its reason stands among theirs."""

    def __init__(self, username: str, error: NotAccepted) -> None:
        super().__init__(username)
        self._error = error

    def authenticate(self, transport: paramiko.Transport) -> list[str]:
        """Say why."""
        raise self._error


@dataclass
class _Certificate:
    path: str
    blob: PublicBlob
    used: bool = False

    def is_for(self, key: PKey) -> bool:
        """Tell whether it certifies that key, whose fields stand after type and nonce (PROTOCOL.certkeys)."""
        certificate, public = Message(self.blob.key_blob), Message(key.asbytes())
        if certificate.get_text() != f"{public.get_text()}-cert-v01@openssh.com":
            return False
        certificate.get_string()
        return certificate.get_remainder().startswith(public.get_remainder())

    def on(self, key: PKey) -> PKey:
        """Return the key as one that shows this certificate."""
        certified = AgentKey(key.agent, key.blob, key.comment) if isinstance(key, AgentKey) else copy.copy(key)
        certified.public_blob = self.blob
        return certified

    def not_used(self) -> NotAccepted:
        return NotAccepted(
            f"CertificateFile {self.path}: its key is neither among the files nor in the agent",
            f"name the key of {self.path} by IdentityFile or ansible_ssh_private_key_file, or ssh-add it",
        )


class _Agent(AgentSSH):
    """The agent behind a socket; paramiko's own knows ``SSH_AUTH_SOCK`` alone, and waits for it without end."""

    @classmethod
    def behind(cls, path: str | None) -> _Agent | None:
        """Return it; None where there is none, or none that answers."""
        if path is None:
            return None
        agent = cls()
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_AGENT_TIMEOUT)
        try:
            connection.connect(path)
            agent._connect(connection)  # type: ignore[attr-defined]
        except (OSError, paramiko.SSHException, EOFError):
            connection.close()
            return None
        except BaseException:
            connection.close()
            raise
        return agent

    def close(self) -> None:
        """Let go of the agent."""
        self._close()  # type: ignore[attr-defined]


def refused(target: Destination, failure: AuthFailure) -> LoginRefused:
    """Return the error of a host that took none of the keys, with what became of each and the nearest remedy."""
    errors = [attempt.result for attempt in failure.result]
    remedies = [error.remedy for error in errors if isinstance(error, NotAccepted) and error.remedy]
    tried = [*map(str, errors)] or ["there is no key: no file, no agent"]
    others = [f"{name} {value} is not followed: {remedy}" for name, value, remedy in target.not_honoured]
    return LoginRefused(
        f"{target.host}: {target.user} cannot log in with the keys at hand",
        detail="\n".join((*tried, *others)),
        remedy=remedies[0]
        if remedies
        else "set ansible_user and ansible_ssh_private_key_file, or ssh-add the key",
    )


def _unreadable(path: str, error: Exception, *, tried: bool) -> NotAccepted:
    if isinstance(error, (TypeError, paramiko.PasswordRequiredException)):
        return NotAccepted(f"{path}: has a passphrase; ssh-add it", f"ssh-add {path}, and run this again")
    if isinstance(error, (UnsupportedAlgorithm, UnknownKeyType)):
        reason = f"{path}: is of a kind that only ssh and its agent can use ({error}); ssh-add it"
        return NotAccepted(reason, f"ssh-add {path}, and run this again")
    also = ", or not with this passphrase" if tried else ""
    return NotAccepted(f"{path}: cannot be read as a private key{also} ({error})")


def _beside(path: str) -> list[_Certificate]:
    """Return the certificate that lies beside a key."""
    beside = f"{path}-cert.pub"
    with suppress(OSError, ValueError, paramiko.SSHException):
        return [_Certificate(beside, PublicBlob.from_file(beside))]
    return []


def _public_half(path: str) -> bytes:
    try:
        return base64.b64decode(Path(f"{path}.pub").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return b""
