"""Paramiko held to the algorithms that ssh is configured to use; where nobody has chosen, its own are good."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import paramiko
from paramiko.pkey import PKey

from rmqops.errors import PreflightFailed
from rmqops.transport.destination import Algorithms, Destination

RSA: Final = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
"""What keys of that type sign by."""
_SAME: Final = {"curve25519-sha256@libssh.org": "curve25519-sha256"}
"""Paramiko's name of an algorithm, and the one that it does not know."""


def hold(transport: paramiko.Transport, target: Destination) -> None:
    """Hold the key exchange to the algorithms that ssh is configured to use, where it is.

    Raises:
        PreflightFailed: of one kind paramiko knows none of them.
    """
    chosen = target.algorithms
    options = transport.get_security_options()
    options.ciphers = _allowed(target, "Ciphers", options.ciphers, chosen.ciphers)
    options.digests = _allowed(target, "MACs", options.digests, chosen.macs)
    options.kex = _allowed(target, "KexAlgorithms", options.kex, chosen.key_exchanges)
    options.key_types = _allowed(target, "HostKeyAlgorithms", options.key_types, chosen.host_keys)
    if chosen.login_keys:
        rsa = {name for names in RSA.values() for name in names}
        refused = sorted(rsa.difference(chosen.login_keys))
        transport.disabled_algorithms = {**(transport.disabled_algorithms or {}), "pubkeys": refused}


def _allowed(target: Destination, option: str, known: Iterable[str], chosen: Iterable[str]) -> tuple[str, ...]:
    known, chosen = tuple(known), tuple(chosen)
    if not chosen:
        return known
    left = [name for name in known if name in chosen or _SAME.get(name) in chosen]
    if not left:
        raise PreflightFailed(
            f"{target.host}: rmqops knows none of {option} {','.join(chosen)}",
            detail=f"it knows {', '.join(known)}",
            remedy=f"allow one of those by {option} for this host",
        )
    rank = {name: index for index, name in enumerate(chosen)}
    return tuple(sorted(left, key=lambda name: rank.get(name, rank.get(_SAME.get(name, ""), 0))))


def why_not_offered(key: PKey, allowed: Algorithms) -> str:
    """Tell why a key of ours is not offered (PubkeyAcceptedAlgorithms, RequiredRSASize); empty where it is."""
    name = key.get_name()
    if allowed.login_keys and not {name, *RSA.get(name, ())}.intersection(allowed.login_keys):
        return f"{name} is not among PubkeyAcceptedAlgorithms"
    return too_short(key, allowed)


def too_short(key: PKey, allowed: Algorithms) -> str:
    """Tell that an RSA key is shorter than RequiredRSASize; empty where it is not."""
    if key.get_name() != "ssh-rsa" or key.get_bits() >= allowed.rsa_bits:
        return ""
    return f"has {key.get_bits()} bits, and RequiredRSASize is {allowed.rsa_bits}"
