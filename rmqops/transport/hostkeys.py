"""Host keys: verified at every login, and written to known_hosts when a person has vouched for them.

A host's key is compared with every known_hosts file that ssh itself would read for it. One that is not there is
never taken silently, unless ``StrictHostKeyChecking=accept-new`` says so; one that differs is always refused.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from rmqops.errors import HostKeyChanged, HostKeyUnknown, PreflightFailed
from rmqops.transport import known_hosts
from rmqops.transport.destination import Destination
from rmqops.transport.known_hosts import KnownHost


def entries(target: Destination) -> tuple[KnownHost, ...]:
    """Return what the known_hosts files say of a host."""
    texts = {}
    for file in target.known_hosts:
        try:
            texts[file] = Path(file).read_text("utf-8", errors="replace")
        except OSError:
            continue  # as ssh: a file that is missing or closed to us knows nobody
    return known_hosts.of(target.known_name, known_hosts.read(texts))


def verify(target: Destination, key_type: str, key: str, blob: bytes) -> None:
    """Make sure that a host is the one it claims to be.

    Args:
        target: The host.
        key_type: The type of the key that it has shown and proven, such as ``ssh-ed25519``.
        key: That key in base64.
        blob: That key.

    Raises:
        HostKeyUnknown: nobody has vouched for it.
        HostKeyChanged: another one is known, or it is revoked.
        PreflightFailed: it is unknown, and there is no file of the user's own to keep it in.
    """
    judgement = known_hosts.judge(target.known_name, key_type, key, entries(target))
    fingerprint = known_hosts.fingerprint(blob)
    if judgement.standing == "known":
        return
    if judgement.entry is None:
        file = "" if target.strict == "yes" else _file_to_keep(target)
        unknown = HostKeyUnknown(
            target.host,
            name=target.known_name,
            key_type=key_type,
            fingerprint=fingerprint,
            key=key,
            file=file or next(iter(target.known_hosts), ""),
            askable=bool(file),
            also=[
                f"{name} {value} is not followed: {remedy}" for name, value, remedy in _asking_elsewhere(target)
            ],
        )
        if target.strict != "accept-new":
            raise unknown
        append([unknown])
        return
    place = f"{judgement.entry.file}:{judgement.entry.line}"
    if judgement.standing == "revoked":
        raise HostKeyChanged(
            f"{target.host}: shows a host key that is revoked: {key_type} {fingerprint}, {place}",
            remedy="do not log in there; ask whoever revoked it",
        )
    raise HostKeyChanged(
        f"{target.host}: its host key has CHANGED: it shows {key_type} {fingerprint}, and "
        f"{judgement.entry.key_type} {judgement.entry.fingerprint} is known, {place}",
        remedy="somebody may be in between. If the host was installed anew: "
        f"ssh-keygen -R '{target.known_name}' -f {judgement.entry.file}, and run this again",
    )


def _asking_elsewhere(target: Destination) -> Iterator[tuple[str, str, str]]:
    """Yield the options that would tell OpenSSH a host's key from somewhere else than a file."""
    return (item for item in target.not_honoured if item[0] in {"knownhostscommand", "verifyhostkeydns"})


def _file_to_keep(target: Destination) -> str:
    """Return the file that a new key goes into: the first of the user's own that nobody else trusts.

    Raises:
        PreflightFailed: there is none.
    """
    shared = {os.path.realpath(file) for file in target.shared_hosts}
    reasons = {
        file: _why_not(Path(file), shared) for file in target.known_hosts if file not in target.shared_hosts
    }
    for file, reason in reasons.items():
        if not reason:
            return file
    found = "; ".join(f"{file} {reason}" for file, reason in reasons.items()) or "it is none"
    raise PreflightFailed(
        f"{target.host}: there is no file to keep its host key in: UserKnownHostsFile: {found}",
        remedy="rmqops always verifies host keys. Name a file of your own, with -o UserKnownHostsFile=FILE in "
        "ansible_ssh_common_args, or for these hosts in ~/.ssh/config",
    )


def _why_not(file: Path, shared: Collection[str]) -> str:
    """Tell why no key is written to a file; empty where one may be."""
    if os.path.realpath(file) in shared:
        return "is trusted for every user of this machine"
    try:
        if file.exists() and not file.is_file():
            return "is not a file"
        place = next(place for place in (file.resolve(), *file.resolve().parents) if place.exists())
        owner = place.stat().st_uid
    except OSError as error:
        return f"cannot be looked at ({error.strerror})"
    if owner != os.geteuid():
        return f"is another user's ({place} is of user id {owner})" if owner else f"is root's ({place})"
    return "" if os.access(place, os.W_OK) else f"cannot be written ({place})"


def append(keys: Iterable[HostKeyUnknown]) -> None:
    """Write keys into their known_hosts files, each once, and see them on disk.

    Raises:
        PreflightFailed: a file cannot be written.
    """
    files: dict[str, list[HostKeyUnknown]] = {}
    for key in keys:
        files.setdefault(key.file, []).append(key)
    for file, items in files.items():
        try:
            _append(Path(file), items)
        except OSError as error:
            raise PreflightFailed(
                f"{file} cannot be written: {error.strerror}",
                remedy="host keys are kept there: make it writable, or name another file by UserKnownHostsFile",
            ) from error


def _append(file: Path, keys: Iterable[HostKeyUnknown]) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(number, "r+", encoding="utf-8", errors="surrogateescape") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        text = stream.read()
        known = known_hosts.parse(str(file), text)
        lines = {
            f"{item.name} {item.key_type} {item.key}": None
            for item in keys
            if all(entry.key != item.key for entry in known_hosts.of(item.name, known))
        }
        if lines:
            gap = "\n" if text and not text.endswith("\n") else ""
            stream.write(gap + "".join(f"{line}\n" for line in lines))
            stream.flush()
            os.fsync(stream.fileno())
