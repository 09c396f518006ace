"""What a command does before it talks to hosts: ask for the password for sudo, and show unknown host keys."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from rmqops.cli import output
from rmqops.errors import PreflightFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rmqops.errors import HostKeyUnknown
    from rmqops.model.topology import Client, Reachable, Topology

_told: set[str] = set()
_ROUNDS: Final = 4
"""A host behind one that was unknown itself shows its key only in the next round."""


def prepare(
    topology: Topology, clients: Sequence[Client] = (), *, accept_new: bool, ask_become_pass: bool
) -> None:
    """Make a cluster's hosts, and those of clients, ready to be talked to; nothing is changed on them.

    Raises:
        UsageError: no password was given.
        PreflightFailed: a host's key is not known and was not accepted, or is not the known one.
    """
    if ask_become_pass:
        _ask_become_password()
    _tell_what_is_left_out(topology, clients)
    trust(topology, clients, accept=accept_new)


def trust(topology: Topology, clients: Sequence[Client] = (), *, accept: bool = False) -> None:
    """See that the key of every host is known: show those that are not in one table, ask once, write them down.

    Raises:
        PreflightFailed: they were not accepted, or the key of a host on the way to others has changed.
    """
    hosts: tuple[Reachable, ...] = (*topology.instances, *clients)
    if all(item.connection == "local" for item in hosts):
        return
    from rmqops.transport import hostkeys, pool

    for _ in range(_ROUNDS):
        keys = pool.unknown_keys(hosts)
        if not keys:
            return
        for key in keys:
            if not key.askable:
                raise key
        _show(keys)
        if not accept and not output.confirm("Are these the hosts' own keys?"):
            raise PreflightFailed(
                f"{len(keys)} host{'s' if len(keys) != 1 else ''} nobody has vouched for; nothing was touched",
                detail="\n".join(f"{key.host}: {key.key_type} {key.fingerprint}" for key in keys),
                remedy="compare them with what ssh-keygen -lf says on the hosts' consoles, then answer y, or give "
                "--accept-new-host-keys",
            )
        hostkeys.append(keys)


def _tell_what_is_left_out(topology: Topology, clients: Sequence[Client]) -> None:
    hosts: tuple[Reachable, ...] = (*topology.instances, *clients)
    if all(item.connection == "local" for item in hosts):
        return
    from rmqops.transport import login_options

    for sentence in login_options.left_out(hosts):
        if sentence not in _told:  # a suite prepares for each of its drills
            output.note(f"note: {sentence}")
            _told.add(sentence)


def _show(keys: Sequence[HostKeyUnknown]) -> None:
    output.table(
        "hosts whose keys are not known yet",
        ["host", "key", "fingerprint", "goes into"],
        [[key.host, key.key_type, key.fingerprint, key.file] for key in keys],
        stderr=True,
    )


def _ask_become_password() -> None:
    import getpass

    from rmqops.model.secret import Secret
    from rmqops.transport import privilege

    if sys.stdin.isatty():
        try:
            password = getpass.getpass("password for sudo: ", stream=sys.stderr)
        except UnicodeDecodeError as error:
            raise UsageError(
                f"the password is no text in {error.encoding}, the encoding of this terminal",
                remedy="pipe it in as a line",
            ) from error
    else:
        password = sys.stdin.readline().rstrip("\n")
    if not password:
        raise UsageError("--ask-become-pass, and no password was given", remedy="type it, or pipe it in as a line")
    privilege.remember(Secret(password))
