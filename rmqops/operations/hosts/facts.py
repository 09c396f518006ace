"""What is really on the hosts: one read-only command a machine, all machines at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rmqops.errors import RmqopsError
from rmqops.model.commands import Command
from rmqops.model.topology import Instance
from rmqops.operations.hosts import directories, facts_script
from rmqops.operations.hosts.answers import understood
from rmqops.operations.hosts.directories import Directory, Part
from rmqops.operations.hosts.machines import Machine, machines
from rmqops.system import parallel
from rmqops.transport.base import Transports, check, transport_for

_DIGEST = 64
"""Digits of a SHA-256."""


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

    directories: Mapping[Part, Directory] = field(default_factory=dict)
    """The instance's own."""
    deployer: str = ""
    """The number of the user that rmqops acts as on its host."""
    odd: tuple[str, ...] = ()
    """What of its own files and directories has another owner or mode than a deploy gives them."""
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


def _arguments(instance: Instance) -> tuple[str, ...]:
    """Return an instance's directory, the links to what it runs, its unit, its logs and data.

    They are six words; one is empty where there is none.
    """
    releases = f"{instance.text('rocketmq_base_dir')}/releases"
    unit = f"rocketmq-{instance.name}.service"
    units = {"systemd": f"/etc/systemd/system/{unit}", "systemd-user": unit, "detached": ""}
    return (
        instance.home,
        f"{releases}/rocketmq-{instance.text('rocketmq_version')}",
        f"{releases}/java" if instance.bundles_java else "",
        units[instance.supervisor],
        instance.text("rocketmq_log_dir"),
        instance.text("rocketmq_data_dir"),
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
    arguments = (part for instance in machine.instances for part in _arguments(instance))
    return Command.shell(facts_script.SCRIPT, *arguments)


def parse(machine: Machine, output: str) -> dict[str, Facts]:
    """Return the facts of a machine's instances by name.

    Raises:
        OperationFailed: the machine said something else.
    """
    with understood(machine.name, output):
        head, *blocks = output.split("\ninstance ")
        if len(blocks) != len(machine.instances):
            raise ValueError(f"it tells of {len(blocks)} instances, and was asked for {len(machine.instances)}")
        first, *rest = head.splitlines()
        listening = _listening(first)
        ours = frozenset(line.removeprefix("chain ") for line in rest if line.startswith("chain "))
        stats = [line for line in rest if line.startswith("stat ")]
        return {
            instance.name: _parse(instance, [*stats, *block.splitlines()[1:]], listening, ours)
            for instance, block in zip(machine.instances, blocks, strict=True)
        }


def owners_question(ports: Iterable[int]) -> Command:
    """Return the command whose output :func:`parse_owners` takes."""
    return Command.shell(facts_script.OWNERS, *map(str, ports))


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


def _parse(instance: Instance, lines: Iterable[str], listening: frozenset[int], chains: frozenset[str]) -> Facts:
    single: dict[str, str] = {}
    modes: dict[str, str] = {}
    contents: dict[str, str] = {}
    overrides: list[str] = []
    settings: dict[str, str] = {}
    said: list[str] = []
    heals: list[ArmedHeal] = []
    leftovers: list[str] = []
    odd: list[str] = []
    words = [line.partition(" ")[::2] for line in lines]
    for kind, rest in words:
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
        elif kind == "odd":
            owner, mode, path = rest.split(" ", 2)
            odd.append(f"current/{path} has mode {mode} and owner {owner}")
        elif kind == "override":
            overrides.append(rest)
        else:
            single[kind] = rest
    deployer, found = single.get("deployer", ""), directories.parse(instance, words)
    return Facts(
        directories=found,
        deployer=deployer,
        odd=(*directories.shared(instance, words, deployer), *odd),
        mark=found["instance"].mark if "instance" in found else None,
        release=single.get("release") or None,
        java=single.get("java") or None,
        tree=single.get("tree"),
        files={path: (modes[path], contents[path]) for path in modes if path in contents},
        settings=settings,
        unit=single["unit"].partition(" ")[0] if "unit" in single else None,
        overrides=tuple(overrides),
        state=dict(pair.partition("=")[::2] for pair in single.get("state", "").split() if pair[:8] != "MainPID="),
        said=tuple(said),
        pid=int(single["pid"]) if "pid" in single else None,
        running=single.get("running"),
        on=single.get("on"),
        listening=listening,
        heals=tuple(heals),
        leftovers=tuple(leftovers),
        chains=chains,
    )
