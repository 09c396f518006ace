"""What is really on the hosts: one read-only command a machine, all machines at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rmqops.errors import RmqopsError
from rmqops.model.commands import Command
from rmqops.model.topology import Instance
from rmqops.operations.hosts.answers import understood
from rmqops.operations.hosts.machines import Machine, machines
from rmqops.system import parallel
from rmqops.transport.base import Transports, check, transport_for

_SCRIPT = """
sockets=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" {printf "%s ", $2}')
printf 'listening %s\\n' "$sockets"
# Listing the chains would load the kernel's tables where nobody has used them.
{ read -r _ < /proc/net/ip_tables_names || [ -d /sys/module/nf_tables ]; } 2>/dev/null &&
  iptables -w 1 -S 2>/dev/null | sed -n 's/^-N \\(RMQOPS-[0-9a-f]*\\)$/chain \\1/p'
newline='
'
IFS=$newline links=
set -f
while [ $# -gt 0 ]; do
  dir=$1 release=$2 java=$3 unit=$4 logs=$5 data=$6 scope=
  shift 6
  printf 'instance %s\\n' "$dir"
  # Most instances of a machine share their releases; each process that is not started is 2 ms.
  if [ "$release $java" != "$links" ]; then
    links="$release $java" release_name= java_name=
    [ ! -L "$release" ] || release_name=$(readlink "$release")
    [ ! -L "$java" ] || java_name=$(readlink "$java")
  fi
  printf 'release %s\\n' "$release_name"
  [ -z "$java" ] || printf 'java %s\\n' "$java_name"
  case $unit in
    '') ;;
    /*) ;;
    *) unit=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user/$unit scope=--user ;;
  esac
  [ ! -f "$unit" ] || printf 'unit %s\\n' "$(sha256sum < "$unit")"
  set +f
  # What a drill left. The owner of the data may have put files there under any name.
  name=${unit##*/rocketmq-}
  for file in "$dir"/heals/* "${data:-$dir}"/wiped-* "$dir"/.rmqops-fault-* "${data:-$dir}"/.rmqops-fault-* \\
    /etc/systemd/system/rmqops-fault-"${name%.service}"-*.service; do
    [ -e "$file" ] || continue
    case ${file##*/} in
      *[!A-Za-z0-9.-]* | *.log | *.new) ;;
      *.sh) printf 'heal %s %s\\n' "$(stat -c %Y "$file")" "${file##*/}" ;;
      *) printf 'left %s\\n' "$file" ;;
    esac
  done
  for override in "$unit".d/*.conf; do [ ! -f "$override" ] || printf 'override %s\\n' "$override"; done
  if [ -f "$unit" ]; then
    export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"
    name=${unit##*/}
    state=$(systemctl $scope show -p ActiveState,SubState,Result,NRestarts "$name" 2>/dev/null | tr '\\n' ' ')
    printf 'state %s\\n' "$state"
    case $state in
      *ActiveState=active* | *ActiveState=inactive*) ;;
      *) timeout 15 "$dir/current/bin/reason.sh" 2>/dev/null | tail -n 8 | sed 's/^[[:space:]]*/said /' ;;
    esac
  fi
  [ ! -f "$dir/.rmqops" ] || { mark=; read -r mark < "$dir/.rmqops"; printf 'mark %s\\n' "$mark"; }
  cd -P "$dir/current/" 2>/dev/null || continue
  printf 'tree %s\\n' "$PWD"
  find . -type f -printf 'mode %m %P\\n' -exec sha256sum {} +
  sed -n '/^[^#].*=/s/^/setting /p' conf/*.p
  set -f
  # The usual case of bin/pid.sh without its processes: the pid file is right.
  pid=
  { read -r pid < "$dir/run/pid"; } 2>/dev/null
  words=$(tr '\\0' '\\n' 2>/dev/null < "/proc/${pid:-self}/cmdline")
  case "$newline$words$newline" in
    *"$newline-Drmqops.instance=$dir$newline"*) ;;
    *)
      pid=$(bin/pid.sh 2>/dev/null) || continue
      words=$(tr '\\0' '\\n' 2>/dev/null < "/proc/$pid/cmdline")
      ;;
  esac
  printf 'pid %s\\n' "$pid"
  for word in $words; do
    case $word in
      */conf/*.p) printf 'running %s\\n' "${word%/conf/*}" ;;
      *:*/lib/\\*) word=${word%/lib/*}; printf 'on %s\\n' "${word##*/}" ;;
    esac
  done
done
"""

_DIGEST = 64
"""Digits of a SHA-256."""

_OWNERS_SCRIPT = """
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v ports="$(printf ' %04X' "$@") " '
  $4 == "0A" && index(ports, " " substr($2, length($2) - 3) " ") {print substr($2, length($2) - 3), $10}' |
while read -r port inode; do printf '%d %s\\n' "0x$port" "$inode"; done |
{
  held=$(cat)
  [ -n "$held" ] || exit 0
  find /proc/[0-9]*/fd -lname 'socket:*' -printf '%h %l\\n' 2>/dev/null | sort -u |
  awk -v held="$held" '
    BEGIN {count = split(held, part); for (i = 1; i < count; i += 2) port["socket:[" part[i + 1] "]"] = part[i]}
    $2 in port {split($1, path, "/"); print port[$2], path[3]; delete port[$2]}
    END {for (socket in port) print port[socket], "-"}'
} |
while read -r port pid; do
  if [ "$pid" = - ]; then
    printf '%s a process that only root may see\\n' "$port"
  else
    printf '%s pid %s (%s)\\n' "$port" "$pid" "$(tr '\\0' ' ' < "/proc/$pid/cmdline" | cut -c 1-120)"
  fi
done
"""


@dataclass(frozen=True)
class ArmedHeal:
    """A heal that lies on a host: its fault may be in force."""

    fault: str
    """The fault's id: the run's name, the number of its phase, and its own."""
    since: float
    """When it was armed: seconds since 1970, by the host's clock."""


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
    state: Mapping[str, str] = field(default_factory=dict)
    """What systemd says of that unit: ``ActiveState``, ``SubState``, ``Result``, ``NRestarts``."""
    said: tuple[str, ...] = ()
    """The last words of why its unit does not keep it up (``bin/reason.sh``); empty where it does."""
    pid: int | None = None
    running: str | None = None
    """Directory of the configuration that the process was started with."""
    on: str | None = None
    """Name of the release that the process was started from; its link may have been turned since."""
    listening: frozenset[int] = frozenset()
    """The ports that something listens on, on its machine."""
    heals: tuple[ArmedHeal, ...] = ()
    """Of faults of drills; see :mod:`rmqops.operations.hosts.armed_heals`."""
    leftovers: tuple[str, ...] = ()
    """Files that a fault keeps while it is in force, whether or not its heal lies there."""
    chains: frozenset[str] = frozenset()
    """Chains of iptables, on its machine, that are faults' own."""

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.pid is not None


def _arguments(instance: Instance) -> tuple[str, str, str, str, str, str]:
    """Return an instance's directory, the links to what it runs, its unit, its logs, its data, or nothing."""
    releases = f"{instance.text('rocketmq_base_dir')}/releases"
    unit = f"rocketmq-{instance.name}.service"
    units = {"systemd": f"/etc/systemd/system/{unit}", "systemd-user": unit, "detached": ""}
    return (
        instance.home,
        f"{releases}/rocketmq-{instance.text('rocketmq_version')}",
        f"{releases}/java" if instance.bundles_java else "",
        units[instance.supervisor],
        instance.text("rocketmq_log_dir"),
        instance.text("rocketmq_data_dir") if instance.kind == "broker" else "",
    )


@dataclass(frozen=True)
class HostSurvey:
    """What the hosts of some instances said when they were asked, all at one moment."""

    facts: Mapping[str, Facts]
    """By instance."""
    errors: Mapping[str, RmqopsError]
    """Why an instance's host said nothing."""

    def required(self, instances: Iterable[Instance]) -> dict[str, Facts]:
        """Return the facts of instances that were asked about.

        Raises:
            RmqopsError: a host could not be asked; the error of the first.
        """
        names = [instance.name for instance in instances]
        for name in names:
            if name in self.errors:
                raise self.errors[name]
        return {name: self.facts[name] for name in names}


def survey(instances: Iterable[Instance], transports: Transports = transport_for) -> HostSurvey:
    """Ask the hosts of instances; one that cannot be asked does not stand in the way of the others."""

    def ask(machine: Machine) -> tuple[dict[str, Facts], dict[str, RmqopsError]]:
        try:
            return _ask(machine, transports), {}
        except RmqopsError as error:
            return {}, dict.fromkeys((instance.name for instance in machine.instances), error)

    facts: dict[str, Facts] = {}
    errors: dict[str, RmqopsError] = {}
    for answers, failures in parallel.mapped(ask, machines(instances)):
        facts |= answers
        errors |= failures
    return HostSurvey(facts, errors)


def gather(instances: Sequence[Instance], transports: Transports = transport_for) -> dict[str, Facts]:
    """Return the facts of instances by name.

    Raises:
        RmqopsError: a machine could not be asked.
    """
    return survey(instances, transports).required(instances)


def _ask(machine: Machine, transports: Transports) -> dict[str, Facts]:
    transport = transports(machine.instances[0])
    return parse(machine, check(transport.run(question(machine)), transport.host).stdout)


def question(machine: Machine) -> Command:
    """Return the command whose output :func:`parse` takes."""
    return Command.shell(_SCRIPT, *(part for instance in machine.instances for part in _arguments(instance)))


def parse(machine: Machine, output: str) -> dict[str, Facts]:
    """Return the facts of a machine's instances by name.

    Raises:
        OperationFailed: the machine said something else.
    """
    with understood(machine.name, output):
        head, *blocks = output.split("\ninstance ")
        if len(blocks) != len(machine.instances):
            raise ValueError(f"it tells of {len(blocks)} instances, and was asked for {len(machine.instances)}")
        first, *chains = head.splitlines()
        listening, ours = _listening(first), frozenset(line.removeprefix("chain ") for line in chains)
        return {
            instance.name: _parse(block.splitlines()[1:], listening, ours)
            for instance, block in zip(machine.instances, blocks, strict=True)
        }


def owners_question(ports: Iterable[int]) -> Command:
    """Return the command whose output :func:`parse_owners` takes."""
    return Command.shell(_OWNERS_SCRIPT, *map(str, ports))


def parse_owners(output: str) -> dict[int, str]:
    """Return which process listens on each of the ports where one does."""
    return {int(port): owner for port, _, owner in (line.partition(" ") for line in output.splitlines())}


def port_owner(instance: Instance, port: int, transports: Transports = transport_for) -> str:
    """Say which process listens on a port of an instance's machine."""
    transport = transports(instance)
    output = check(transport.run(owners_question([port])), transport.host).stdout
    with understood(transport.host, output):
        owners = parse_owners(output)
    return owners.get(port, "a process that has ended since")


def _listening(line: str) -> frozenset[int]:
    return frozenset(int(address.rpartition(":")[2], 16) for address in line.split()[1:])


def _parse(lines: Iterable[str], listening: frozenset[int], chains: frozenset[str]) -> Facts:
    single: dict[str, str] = {}
    modes: dict[str, str] = {}
    contents: dict[str, str] = {}
    overrides: list[str] = []
    settings: dict[str, str] = {}
    said: list[str] = []
    heals: list[ArmedHeal] = []
    leftovers: list[str] = []
    for line in lines:
        kind, _, rest = line.partition(" ")
        if kind == "mode":
            mode, _, path = rest.partition(" ")
            modes[path] = mode.zfill(4)
        elif len(kind) == _DIGEST:  # what sha256sum says
            contents[rest.lstrip(" *").removeprefix("./")] = kind
        elif kind == "setting":
            key, _, value = rest.partition("=")
            settings[key.strip()] = value.strip()
        elif kind == "said":
            said.append(rest)
        elif kind == "heal":
            since, _, name = rest.partition(" ")
            heals.append(ArmedHeal(name.removesuffix(".sh"), float(since)))
        elif kind == "left":
            leftovers.append(rest)
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
        unit=single["unit"].partition(" ")[0] if "unit" in single else None,
        overrides=tuple(overrides),
        state=dict(pair.partition("=")[::2] for pair in single.get("state", "").split()),
        said=tuple(said),
        pid=int(single["pid"]) if "pid" in single else None,
        running=single.get("running"),
        on=single.get("on"),
        listening=listening,
        heals=tuple(heals),
        leftovers=tuple(leftovers),
        chains=chains,
    )
