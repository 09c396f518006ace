"""What is really on the hosts: one read-only command a machine, all machines at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from rmqops.errors import RmqopsError
from rmqops.model.commands import Command
from rmqops.model.topology import Instance
from rmqops.transport.base import Transport, check, transport_for

_SCRIPT = """
sockets=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" {printf "%s/%s ", $2, $10}')
printf 'listening %s\\n' "$sockets"
while [ $# -gt 0 ]; do
  dir=$1 release=$2 java=$3 unit=$4
  shift 4
  printf 'instance %s\\n' "$dir"
  printf 'release %s\\n' "$(readlink "$release")"
  [ -z "$java" ] || printf 'java %s\\n' "$(readlink "$java")"
  case $unit in
    '') ;;
    /*) ;;
    *) unit=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user/$unit ;;
  esac
  [ ! -f "$unit" ] || printf 'unit %s\\n' "$(sha256sum < "$unit" | cut -c 1-64)"
  for override in "$unit".d/*.conf; do [ ! -f "$override" ] || printf 'override %s\\n' "$override"; done
  [ ! -f "$dir/.rmqops" ] || printf 'mark %s\\n' "$(cat "$dir/.rmqops")"
  cd "$dir/current/" 2>/dev/null || continue
  printf 'tree %s\\n' "$(pwd -P)"
  find . -type f -printf 'mode %m %P\\n'
  find . -type f -exec sha256sum {} + | sed 's/^/content /'
  sed -n '/^[^#].*=/s/^/setting /p' conf/*.p
  pid=$(bin/pid.sh 2>/dev/null) || continue
  printf 'pid %s\\n' "$pid"
  tr '\\0' '\\n' < "/proc/$pid/cmdline" | sed -n 's,^\\(.*\\)/conf/[a-z]*[.]p$,running \\1,p'
done
"""

_OWNER_SCRIPT = """
for process in /proc/[0-9]*; do
  if ls -l "$process/fd" 2>/dev/null | grep -qF "socket:[$1]"; then
    printf 'pid %s (%s)\\n' "${process#/proc/}" "$(tr '\\0' ' ' < "$process/cmdline" | cut -c 1-120)"
    exit 0
  fi
done
echo "a process that only root may see"
"""


@dataclass(frozen=True)
class Facts:
    """What is on a host of one instance."""

    mark: str | None = None
    """Whose directory it is, ``CLUSTER/INSTANCE``; None when rmqops made nothing there."""
    release: str | None = None
    """Name of the release that its link points to."""
    java: str | None = None
    """Name of the bundled runtime that its link points to; None where none is wanted or there."""
    tree: str | None = None
    """Directory of the configuration in force."""
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Mode and SHA-256 of each file of that tree, by path."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What RocketMQ's own file of that tree says, by key."""
    unit: str | None = None
    """SHA-256 of its systemd unit."""
    overrides: tuple[str, ...] = ()
    """Drop-ins that somebody put beside the unit."""
    pid: int | None = None
    running: str | None = None
    """Directory of the configuration that the process was started with."""
    listening: Mapping[int, str] = field(default_factory=dict)
    """Inode of the socket of each port that something listens on, on its machine."""

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.pid is not None


def _arguments(instance: Instance) -> tuple[str, str, str, str]:
    """Return the directory of an instance, the links to what it runs, and its unit; empty where there is none."""
    releases = f"{instance.text('rocketmq_base_dir')}/releases"
    unit = f"rocketmq-{instance.name}.service"
    units = {"systemd": f"/etc/systemd/system/{unit}", "systemd-user": unit, "detached": ""}
    return (
        instance.home,
        f"{releases}/rocketmq-{instance.text('rocketmq_version')}",
        f"{releases}/java" if instance.bundles_java else "",
        units[instance.supervisor],
    )


def survey(
    instances: Iterable[Instance], transports: Callable[[Instance], Transport] = transport_for
) -> tuple[dict[str, Facts], dict[str, str]]:
    """Return the facts of instances by name, and why those that are missing could not be had."""

    def ask(here: list[Instance]) -> tuple[dict[str, Facts], dict[str, str]]:
        try:
            return _ask(here, transports(here[0])), {}
        except RmqopsError as error:
            return {}, {instance.name: str(error) for instance in here}

    found: dict[str, Facts] = {}
    errors: dict[str, str] = {}
    with ThreadPoolExecutor(max_workers=32) as pool:
        for facts, failed in pool.map(ask, _machines(instances)):
            found |= facts
            errors |= failed
    return found, errors


def gather(
    instances: Iterable[Instance], transports: Callable[[Instance], Transport] = transport_for
) -> dict[str, Facts]:
    """Return the facts of instances by name.

    Raises:
        OperationFailed: a machine could not be asked.
    """
    with ThreadPoolExecutor(max_workers=32) as pool:
        answers = pool.map(lambda here: _ask(here, transports(here[0])), _machines(instances))
        return {name: facts for answer in answers for name, facts in answer.items()}


def _machines(instances: Iterable[Instance]) -> list[list[Instance]]:
    machines: dict[str, list[Instance]] = {}
    for instance in instances:
        machines.setdefault(instance.machine, []).append(instance)
    return list(machines.values())


def owner(instance: Instance, inode: str, transports: Callable[[Instance], Transport] = transport_for) -> str:
    """Say which process owns a listening socket on an instance's machine."""
    transport = transports(instance)
    return check(transport.run(Command.shell(_OWNER_SCRIPT, inode)), transport.host).stdout.strip()


def _ask(instances: Iterable[Instance], transport: Transport) -> dict[str, Facts]:
    chosen = list(instances)
    arguments = [part for instance in chosen for part in _arguments(instance)]
    output = check(transport.run(Command.shell(_SCRIPT, *arguments)), transport.host).stdout
    head, *blocks = output.split("\ninstance ")
    listening = _listening(head)
    return {
        instance.name: _parse(block.splitlines()[1:], listening)
        for instance, block in zip(chosen, blocks, strict=True)
    }


def _listening(line: str) -> dict[int, str]:
    entries = (entry.rpartition("/") for entry in line.split()[1:])
    return {int(address.rpartition(":")[2], 16): inode for address, _, inode in entries}


def _parse(lines: Iterable[str], listening: Mapping[int, str]) -> Facts:
    single: dict[str, str] = {}
    modes: dict[str, str] = {}
    contents: dict[str, str] = {}
    overrides: list[str] = []
    settings: dict[str, str] = {}
    for line in lines:
        kind, _, rest = line.partition(" ")
        if kind == "mode":
            mode, _, path = rest.partition(" ")
            modes[path] = mode.zfill(4)
        elif kind == "content":
            digest, _, path = rest.partition("  ")
            contents[path.removeprefix("./")] = digest
        elif kind == "setting":
            key, _, value = rest.partition("=")
            settings[key.strip()] = value.strip()
        elif kind == "override":
            overrides.append(rest)
        else:
            single[kind] = rest
    return Facts(
        mark=single.get("mark"),
        release=single.get("release") or None,
        java=single.get("java") or None,
        tree=single.get("tree"),
        files={path: (modes[path], contents[path]) for path in modes if path in contents},
        settings=settings,
        unit=single.get("unit"),
        overrides=tuple(overrides),
        pid=int(single["pid"]) if "pid" in single else None,
        running=single.get("running"),
        listening=listening,
    )
