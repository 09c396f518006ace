"""Whose the directories of an instance are: what a host says of them, and what keeps a deploy from them. PURE.

Each directory that a deploy made or found empty bears a mark, a file ``.rmqops`` with ``CLUSTER/INSTANCE``
(``roles/rocketmq/library/rocketmq_directories.py``). One that has none and is not empty is somebody else's. But an
instance that an earlier rmqops deployed, or a person by hand, names its own in its ``run.sh``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rmqops.model import system_places
from rmqops.model.topology import Instance

Part = Literal["instance", "data", "logs"]
KEYS: Final[Mapping[Part, str]] = {
    "instance": "rocketmq_instance_dir",
    "data": "rocketmq_data_dir",
    "logs": "rocketmq_log_dir",
}
"""The variable that names each of them."""
BY_HAND: Final = frozenset({"data", "store", "logs", "run", "current"})
"""What an instance's directory may hold that was installed by hand; ``rocketmq_directories`` has the same."""

# `look PART DIR RUN` prints the mark of a directory; where that is not the mark of the instance's own, which is
# looked at first, whether RUN names it; and where it has none, whether it is a mount and the first names in it.
# Where the service may write, the mark is read without following a link or waiting for a pipe.
SHELL: Final = """
look() {
  text=
  if [ ! -d "$2/" ]; then
    [ ! -e "$2" ] && [ ! -L "$2" ] || printf 'obstacle %s\\n' "$1"
    return
  elif [ ! -f "$2/.rmqops" ] || [ -L "$2/.rmqops" ]; then
    ls -AUq -- "$2/" 2>/dev/null | grep -vxF lost+found | head -n 6 | sed "s/^/holds $1 /"
    ! mountpoint -q -- "$2" 2>/dev/null || printf 'mount %s\\n' "$1"
  else
    if [ "$1" = instance ]; then read -r text < "$2/.rmqops"
    else text=$(dd if="$2/.rmqops" iflag=nofollow,nonblock bs=300 count=1 status=none 2>/dev/null)
    fi
    case $text in '' | *[!A-Za-z0-9._/-]*) text=? ;; esac
    printf 'marked %s %s\\n' "$1" "$text"
  fi
  if [ "$1" = instance ]; then mark=$text
  elif [ "$text" != "$mark" ] && grep -qsF -e "'${2%/}'" -e "'${2%/}/'" "$3"; then printf 'named %s\\n' "$1"
  fi
}
"""


@dataclass(frozen=True)
class Directory:
    """One directory as it is on its host."""

    owner: str = ""
    uid: str = ""
    mode: str = ""
    """Empty where there is no directory. Octal, such as ``750``."""
    place: str = ""
    """Where it really lies, through all links."""
    blocked: bool = False
    """Whether something lies there that is no directory."""
    mark: str | None = None
    """Whose it is, ``CLUSTER/INSTANCE``."""
    holds: tuple[str, ...] = ()
    """Names in it, six at most; only of one without a mark."""
    named: bool = False
    """Whether the instance that is deployed says by its own ``run.sh`` that it is its own: the service can change
    the mark in it, and not that."""
    mount: bool = False
    """Whether a file system is mounted there; only told of one without a mark."""


def parse(instance: Instance, lines: Sequence[tuple[str, str]]) -> dict[Part, Directory]:
    """Return the directories of an instance that its host told of, from the kind and the rest of each line."""
    stats: dict[str, tuple[str, str, str]] = {}
    places = dict(zip(KEYS, (rest for kind, rest in lines if kind == "place"), strict=False))
    for kind, rest in lines:
        if kind == "stat":
            uid, owner, mode, path = rest.split(" ", 3)
            stats[path] = (owner, uid, mode)
    found: dict[Part, Directory] = {}
    for part in KEYS:
        told = [(kind, rest.partition(" ")[2]) for kind, rest in lines if rest.partition(" ")[0] == part]
        words = dict(told)
        owner, uid, mode = stats.get(f"{path_of(instance, part)}/.", ("", "", ""))
        if part in places:
            found[part] = Directory(
                owner,
                uid,
                mode,
                places[part],
                blocked="obstacle" in words,
                mark=words.get("marked"),
                holds=tuple(text for kind, text in told if kind == "holds"),
                named="named" in words,
                mount="mount" in words,
            )
    return found


def shared(instance: Instance, lines: Sequence[tuple[str, str]], deployer: str) -> Iterator[str]:
    """Say through which of the directories around an instance's own its service cannot pass."""
    if not instance.service_user:
        return
    around = {f"{instance.text('rocketmq_base_dir')}/releases", f"{instance.home}/trees"}
    around.add(instance.home.rpartition("/")[0])
    for kind, rest in lines:
        if kind == "stat":
            uid, _, mode, path = rest.split(" ", 3)
            if path in around and uid == deployer and int(mode, 8) & 0o055 != 0o055:
                yield f"{path} has mode {mode}, which does not let {instance.service_user} pass"


def expected(part: Part) -> str:
    """Return the mode that a directory should have."""
    return "755" if part == "instance" else "750"


def path_of(instance: Instance, part: Part) -> str:
    """Return where a directory of an instance lies."""
    return instance.text(KEYS[part])


def obstacles(
    instance: Instance, mark: str, directories: Mapping[Part, Directory], deployer: str
) -> Iterator[tuple[str, str]]:
    """Yield what keeps an instance from using its directories, each with what to do about it.

    Args:
        instance: The instance.
        mark: What its directories should bear.
        directories: As they are on its host; one that is not there is missing.
        deployer: The number of the user that deploys.
    """
    for part, found in directories.items():
        path, choose = path_of(instance, part), f"Choose another {KEYS[part]} for {instance.name}"
        if found.place and (why := system_places.reason(found.place, units=instance.supervisor == "systemd")):
            yield f"{path} is {found.place} there, which {why}", choose
        elif found.blocked:
            yield f"{path} is no directory", f"{choose}, or move that away"
        elif not found.mode or (found.named and part != "instance"):
            continue
        elif found.mark not in {None, mark}:
            yield f"{path} belongs to {found.mark}", f"{choose}, or destroy that cluster first"
        elif found.mark is None:
            yield from _unmarked(instance, part, found, mark, deployer)


def _unmarked(
    instance: Instance, part: Part, found: Directory, mark: str, deployer: str
) -> Iterator[tuple[str, str]]:
    """Yield why a directory without a mark is not taken, if it is not."""
    path, key = path_of(instance, part), KEYS[part]
    choose = f"Choose another {key} for {instance.name}, or"
    if part == "instance":
        if foreign := [name for name in found.holds if name not in _by_hand(instance)]:
            yield f"{path} was not made by rmqops and holds {', '.join(foreign[:5])}", f"{choose} remove it"
    elif found.holds:
        remedy = f"{choose} empty it; if it is of {mark}, say so: echo {mark} > {path}/.rmqops"
        yield f"{path} was not made by rmqops and holds {', '.join(found.holds[:5])}", remedy
    elif deployer == "0" and found.owner not in {"root", instance.service_user}:
        yield f"{path} belongs to the user {found.owner}", f"{choose} remove it"
    elif part == "logs" and found.mount:
        yield f"{path} is where a file system is mounted", f"{choose} name a directory below it"


def deviations(instance: Instance, directories: Mapping[Part, Directory], deployer: str) -> Iterator[str]:
    """Say what a deploy would mend of the directories of an instance that is deployed."""
    for part in KEYS:
        path, found = path_of(instance, part), directories.get(part)
        owner = instance.service_user if part != "instance" else ""
        if found is None or not found.mode:
            yield f"{path} is missing"
        elif found.mark is None or found.named:
            yield f"{path} does not bear its mark"
        elif deployer not in {"0", found.uid}:
            continue  # without root, what is another's stays as it is
        elif found.mode != expected(part):
            yield f"{path} has mode {found.mode}, not {expected(part)}"
        elif deployer == "0" and owner and owner != found.owner:
            yield f"{path} belongs to {found.owner}, not to {owner}"


def _by_hand(instance: Instance) -> frozenset[str]:
    """Return what an instance's directory may hold without a mark: what lies there by hand or by the inventory."""
    home = instance.home.rstrip("/") + "/"
    own = (path_of(instance, part) for part in ("data", "logs"))
    return BY_HAND | {path[len(home) :].split("/")[0] for path in own if path.startswith(home)}
