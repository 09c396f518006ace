"""A cluster without a process: brokers that answer from memory, and hosts that know one fault.

It stands in at the boundary of a drill's process: :mod:`tests.support.scripted_wire` answers each request of
RocketMQ's protocol, :meth:`ScriptedCluster.transport` each command of the fault ``kill`` and of the dead-man's
heal, and :mod:`tests.support.scripted_load` starts processes of the load that say what real ones say. All go by
one clock of :mod:`tests.support.virtual_time`, so that a whole drill takes some tenths of a second::

    cluster = ScriptedCluster(topology())
    finished = runner.run(request, print, cluster.environment())

A member that is killed answers nothing more; a DLedger group that keeps its majority names its next member as
master ``ELECTION`` seconds later, and one that is started again is a slave that holds what its group holds. What
goes wrong is scripted by the attributes of :class:`ScriptedCluster` and by :meth:`ScriptedCluster.after`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rmqops.chaos import faults
from rmqops.chaos.mechanisms import deadman, processes
from rmqops.chaos.mechanisms.plan import Aim
from rmqops.chaos.run import leader_terms
from rmqops.chaos.run.environment import Environment
from rmqops.chaos.run.journal import Journal, JournalEntry
from rmqops.errors import ConnectFailed
from rmqops.model.commands import Command
from rmqops.model.topology import Group, Instance, Reachable, Topology
from rmqops.remoting.codec import Frame
from rmqops.transport.fake import FakeTransport
from tests.support.instances import instance
from tests.support.scripted_load import ScriptedPlace, ScriptedProcess
from tests.support.scripted_wire import ScriptedClient
from tests.support.virtual_time import Clock

ELECTION = 1.0
"""Seconds from a master's death to its successor."""
PID = "42"

_AIM = instance("any", "/any")
_ANY = Topology("any", "4.5.2", "any", (), (), drillable=True)
_STEPS = {
    command.argv[2]: step
    for step, command in {
        "requires": faults.probe("kill", Aim(_AIM, _ANY)),
        "inject": processes.signal(_AIM, PID, "KILL"),
        "inject and stay": processes.kill(_AIM, PID),
        "verify": processes.gone(_AIM, PID),
        "healed": processes.runs(_AIM),
        "arm": deadman.arm(_AIM, "any", Command(("any",)), 1),
        "disarm": deadman.disarm(_AIM, "any"),
        "armed": deadman.armed(_AIM),
        "leaders": leader_terms.ask(_AIM),
    }.items()
}
"""The step that a host's command is, by its script; a command without a script starts the process."""


class ScriptedCluster:
    """The state of a cluster; see this module's text."""

    def __init__(self, topology: Topology, clock: Clock | None = None) -> None:
        self.topology = topology
        self.clock = clock or Clock()
        self.dead: set[str] = set()
        """Names of instances that do not run."""
        self.masters: dict[str, Instance | None] = {group.name: group.members[0] for group in topology.groups}
        """As every NameServer that runs says it."""
        self.terms: dict[str, list[int]] = {broker.name: [] for broker in topology.brokers}
        """In which each member has led, as its log says."""
        for group in topology.groups:
            self.terms[group.members[0].name].append(1)
        self.topics: dict[str, dict[str, int]] = {instance.name: {} for instance in topology.instances}
        """The queues of every topic that an instance knows."""
        self.consumer_groups: dict[str, set[str]] = {broker.name: set() for broker in topology.brokers}
        """Those that a broker keeps."""
        self.committed: dict[tuple[str, str], dict[int, int]] = {}
        """What each member says that a consumer group has committed, by queue."""
        self.queues: dict[tuple[str, str, int], list[bytes]] = {}
        """The bodies in each queue of a group's log: group, topic, queue."""
        self.lacking: dict[str, int] = {}
        """How many messages at the end of each queue a member has not."""
        self.armed: dict[str, Instance] = {}
        """Dead-man heals by fault."""
        self.commands: list[tuple[str, str]] = []
        """Each step that a host was told, and the instance."""
        self.failing: set[str] = set()
        """Steps whose commands end with 1."""
        self.before: Callable[[str, Instance], None] = lambda _step, _instance: None
        """Called before each step of a host; may raise what a transport raises."""
        self.journalled: Callable[[JournalEntry], None] = lambda _entry: None
        """Called once an entry of the journal is on disk."""
        self.asked: Callable[[Instance, Frame], None] = lambda _instance, _request: None
        """Called with each request of the protocol before it is answered."""
        self.refusing: Callable[[str], str | None] = lambda _producer: None
        """Says why a producer's send is refused, if it is."""
        self.locked = False
        """Whether somebody else works on the cluster."""
        self.deaf: set[str] = set()
        """Processes of the load that do nothing."""
        self.started: list[ScriptedProcess] = []
        """Processes of the load."""
        self._events: list[tuple[float, Callable[[], None]]] = []

    def environment(self) -> Environment:
        """Return how a drill reaches this cluster."""
        return environment(self)

    @property
    def untouched(self) -> bool:
        """Whether nothing is left of any drill: no fault, no heal, no topic or group, no process."""
        topics = [name for known in (*self.topics.values(), *self.consumer_groups.values()) for name in known]
        running = [process for process in self.started if process.returncode is None]
        return not (self.dead or self.armed or topics or running)

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        """Let something happen later."""
        self._events.append((self.clock() + seconds, event))

    def catch_up(self) -> None:
        """Let happen what is due; each who asks the cluster does this first."""
        due = [item for item in self._events if item[0] <= self.clock()]
        self._events = [item for item in self._events if item not in due]
        for _, event in sorted(due, key=lambda item: item[0]):
            event()

    def kill(self, instance: Instance) -> None:
        """Let a process die; a group that has a majority left elects another master, if it was that."""
        self.dead.add(instance.name)
        group = self.group_of(instance)
        if group is not None and self.masters[group.name] == instance:
            self.masters[group.name] = None
            if group.mode == "dledger":
                self.after(ELECTION, lambda: self._elect(group))

    def start(self, instance: Instance) -> None:
        """Start a process; it is master again where its group elects nobody, or elects when it has a majority."""
        self.dead.discard(instance.name)
        group = self.group_of(instance)
        if group is not None and self.masters[group.name] is None:
            if group.mode == "dledger":
                self.after(ELECTION, lambda: self._elect(group))
            elif instance == group.members[0]:
                self.masters[group.name] = instance

    def _elect(self, group: Group) -> None:
        living = [member for member in group.members if member.name not in self.dead]
        if self.masters[group.name] is None and 2 * len(living) > len(group.members):
            self.masters[group.name] = living[0]
            latest = max(term for member in group.members for term in self.terms[member.name])
            self.terms[living[0].name].append(latest + 1)

    def group_of(self, instance: Instance) -> Group | None:
        """Return a broker's group."""
        return next((group for group in self.topology.groups if instance in group.members), None)

    def transport(self, host: Reachable) -> FakeTransport:
        """Return what leads to an instance's host."""
        assert isinstance(host, Instance)
        return FakeTransport(lambda command: self._answer(host, command), host.name)

    def _answer(self, instance: Instance, command: Command) -> tuple[int, str]:
        """Answer for the cluster's lock, or do a command of a host."""
        if (script := command.script) is not None and "flock" in script.text:
            return 0, "busy somebody else" if self.locked else "held"
        return self._do(instance, command)

    def _do(self, instance: Instance, command: Command) -> tuple[int, str]:
        """Do a command of a host."""
        self.catch_up()
        step = _STEPS.get(command.argv[2], "unknown") if len(command.argv) > 2 else "heal"
        self.before(step, instance)
        self.commands.append((step, instance.name))
        if step in self.failing or step == "unknown":
            return 1, f"{step} failed"
        fault = command.argv[4].rsplit("/", 1)[-1] if step in ("arm", "disarm") else ""
        if step in ("inject", "inject and stay"):
            self.kill(instance)
        elif step == "heal" and instance.name in self.dead:
            self.start(instance)
        elif step == "verify":
            return int(instance.name not in self.dead), ""
        elif step == "healed":
            return int(instance.name in self.dead), PID
        elif step == "arm":
            self.armed[fault] = instance
        elif step == "disarm":
            return 0, "armed" if self.armed.pop(fault, None) else "gone"
        elif step == "armed":
            return 0, "\n".join(name for name, victim in self.armed.items() if victim == instance)
        elif step == "leaders":
            return 0, "\n".join(map(str, self.terms[instance.name]))
        return 0, PID

    def listening(self, address: str) -> Instance:
        """Return the instance that runs at an address.

        Raises:
            ConnectFailed: none does.
        """
        for each in self.topology.instances:
            if each.address == address and each.name not in self.dead:
                return each
        raise ConnectFailed(f"{address} did not take a connection: Connection refused")

    def log(self, member: Instance, topic: str, queue: int) -> list[bytes]:
        """Return the bodies in a queue of a member."""
        bodies = self.queues.get((str(member.group), topic, queue), [])
        return bodies[: len(bodies) - self.lacking.get(member.name, 0)]

    def append(self, group: str, topic: str, queue: int, content: bytes) -> int:
        """Store a message and return its offset."""
        bodies = self.queues.setdefault((group, topic, queue), [])
        bodies.append(content)
        return len(bodies) - 1


def environment(*clusters: ScriptedCluster) -> Environment:
    """Return how drills reach some clusters, whose addresses differ; they go by the first one's clock."""
    clock, started = clusters[0].clock, clusters[0].started
    for cluster in clusters[1:]:
        cluster.clock, cluster.started = clock, started

    def of(address: str) -> ScriptedCluster:
        return next(each for each in clusters if address in [one.address for one in each.topology.instances])

    def transport(host: Reachable) -> FakeTransport:
        assert isinstance(host, Instance)
        return of(host.address).transport(host)

    return Environment(
        transports=transport,
        clients=lambda **timeouts: ScriptedClient(of, **timeouts),
        here=lambda _driver: ScriptedPlace(of),
        journal=lambda run: _WatchedJournal(run, clusters),
        clock=clock,
        pause=clock.advance,
        run=clock.run,
    )


class _WatchedJournal(Journal):
    def __init__(self, run: Path, clusters: Sequence[ScriptedCluster]) -> None:
        super().__init__(run)
        self._clusters = clusters

    def write(self, entry: JournalEntry) -> None:
        super().write(entry)
        for cluster in self._clusters:
            cluster.journalled(entry)
