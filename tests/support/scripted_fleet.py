"""A fleet that is played: hosts that answer commands, playbooks that change them, brokers that speak the protocol.

Nothing of it is a process. A host's answers come from a :class:`~rmqops.transport.fake.FakeTransport`; a playbook
is a function that changes what the hosts and the brokers will say; NameServers and brokers are peers on ports of a
loopback address of this process's own, so that what asks them is the real client. Each act is a *moment* with a
name, at which a test may interrupt.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import os
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import yaml

from rmqops.errors import OperationFailed
from rmqops.model.commands import Command
from rmqops.model.topology import Group, Instance, Reachable, Topology, Value
from rmqops.operations import inventories
from rmqops.operations.change.fleet import Fleet, files_of
from rmqops.operations.change.playbook import Listener, PlaybookEvent
from rmqops.remoting.codec import Frame
from rmqops.remoting.codes import RequestCode
from rmqops.render import files
from rmqops.source.artifacts import Artifact
from rmqops.transport.fake import FakeTransport
from tests.support.clusters import classic_inventory, dledger_inventory
from tests.unit.remoting.peer import Peer, reply
from tests.unit.remoting.stored import stored

_T = TypeVar("_T")

MESSAGE: Final = 100
"""Bytes of a message in a scripted log."""

PORT: Final = 23000
_ADDRESSES = itertools.count()


def artifact(version: str = "4.4.0", digest: str = "0123456789abcdef") -> Artifact:
    """Describe a release that was built."""
    name = f"rocketmq-{version}-{digest}"
    return Artifact(
        version, name, Path("release.tar.gz"), digest, 1, "s", "17", 8, "2026-01-01", Path("maven.log")
    )


def single_inventory(base: Path, port: int, version: str = "4.5.2") -> dict[str, Any]:
    """Describe three NameServers and three groups of one broker."""
    described = dledger_inventory(base, port, version)
    brokers = described["all"]["children"]["brokers"]
    brokers["vars"] |= {"rocketmq_mode": "single", "rocketmq_heap": "256m"}
    brokers["children"] = {
        f"broker-{name}": {"hosts": {f"broker-{name}-0": {"rocketmq_listen_port": port + 10 + 10 * place}}}
        for place, name in enumerate("abc")
    }
    return described


@dataclass
class ScriptedInstance:
    """One instance: what is on its host, and its process."""

    instance: Instance
    mark: str | None = None
    release: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    """Text by path, of the tree in force."""
    running: tuple[str, str, Mapping[str, str]] | None = None
    """Its tree, its release and its settings when the process was started; None while it is down."""
    log_end: int = 0
    topics: dict[str, dict[str, object]] = field(default_factory=dict)
    groups: dict[str, dict[str, object]] = field(default_factory=dict)
    queues: dict[tuple[str, int], list[bytes]] = field(default_factory=dict)
    consumed: dict[tuple[str, str, int], int] = field(default_factory=dict)
    """The offset that a consumer group has committed, by group, topic and queue."""
    peer: Peer | None = None
    heals: set[str] = field(default_factory=set)
    """Faults whose heals lie armed on its host."""
    strange: set[str] = field(default_factory=set)
    """Its directories, of ``data`` and ``logs``, that bear no mark."""
    tree_name: str | None = None
    """Where its files lie, if they were edited there since: a tree keeps the name of what was put in place."""

    @property
    def settings(self) -> dict[str, str]:
        """What RocketMQ's own file says."""
        lines = (
            line.partition("=")
            for path, text in self.files.items()
            if path.endswith(".p")
            for line in text.splitlines()
            if "=" in line and not line.startswith("#")
        )
        return {key.strip(): value.strip() for key, _, value in lines}

    @property
    def fingerprints(self) -> dict[str, tuple[str, str]]:
        """Mode and digest of each file."""
        return {
            path: ("0755" if path.endswith(".sh") else "0644", hashlib.sha256(text.encode()).hexdigest())
            for path, text in self.files.items()
        }

    @property
    def tree(self) -> str:
        """Where its files lie."""
        return self.tree_name or f"{self.instance.home}/trees/{files.tree_name(self.fingerprints)}"


class ScriptedFleet:
    """A cluster as a test wants it; a context manager, as its brokers hold ports while it lives.

    Args:
        directory: For the inventory.
        describe: Writes the inventory, as ``tests.support.clusters`` has some.
        version: The release.
    """

    def __init__(
        self,
        directory: Path,
        describe: Callable[..., dict[str, Any]] = classic_inventory,
        version: str = "4.4.0",
    ) -> None:
        self.address = _loopback_address()
        document = describe(directory / "srv", PORT, version)
        document["all"]["vars"] |= {"ansible_host": self.address, "rocketmq_address": self.address}
        inventory = directory / "inventory.yml"
        inventory.write_text(yaml.safe_dump(document, sort_keys=False))
        self.topology: Topology = inventories.load(str(inventory)).topology
        self.artifact = artifact(version)
        self.instances = {item.name: ScriptedInstance(item) for item in self.topology.instances}
        self.transport = _ScriptedTransport(self._answer, self.address, self._moment)
        self.moments: list[str] = []
        """What was done, in order."""
        self.interrupt_at: int | None = None
        """The number of the moment at which ``interruption`` is raised, before anything is done."""
        self.interruption: type[BaseException] = KeyboardInterrupt
        self.before: dict[str, Callable[[], None]] = {}
        """What happens to the cluster right before a moment, by its name; once."""
        self.copying = True
        """Whether slaves copy what their masters take."""
        self.same_logs = True
        """Whether the logs of the members of a group are the same up to the place where the shorter ends."""
        self.fails: set[str] = set()
        """Playbook and instance, such as ``start broker-a-1``, that fail."""
        self.refusing: set[str] = set()
        """Brokers that were told to refuse sends."""
        self.unhealable: set[str] = set()
        """Instances whose faults cannot be ended."""
        self.taken_ports: set[int] = set()
        self.corrupting = False
        """Whether brokers give back something else than they took."""
        self._host = _Loop()

    @property
    def fleet(self) -> Fleet:
        """What a verb is given."""
        return Fleet(self.topology, lambda _instance: self.transport, self.run_playbook)

    def __enter__(self) -> Self:
        self._host.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self.instances.values():
            self._stop(each)
        self._host.stop()

    # What a test does to it.

    def deploy(self, names: Iterable[str] = ()) -> None:
        """Have instances deployed and running, all when none is named."""
        for name in names or self.instances:
            self._place(name, files_of(self.instances[name].instance))
            self.instances[name].release = self.artifact.name
            self._start(name)
        self.moments.clear()

    def kill(self, name: str) -> None:
        """End an instance's process."""
        self._stop(self.instances[name])

    def start(self, name: str) -> None:
        """Start an instance's process."""
        self._start(name)

    def alive(self) -> set[str]:
        """Name the instances that run."""
        return {name for name, each in self.instances.items() if each.running}

    def masters(self, group: Group) -> list[str]:
        """Name the members of a group that run as master."""
        return [member.name for member in group.members if self._broker_id(member.name) == 0]

    def lock_held(self) -> bool:
        """Tell whether somebody holds the cluster's lock."""
        return any(not running.closed for running in self.transport.opened)

    def say(self, text: str) -> None:
        """Take a step of a change."""
        self._moment(f"say {text}")

    # Playbooks.

    def run_playbook(
        self,
        name: str,
        inventories: Sequence[str],
        *,
        hosts: Sequence[Reachable],
        log: Path,
        listener: Listener,
        variables: Mapping[str, Value] | None = None,
        limit: Sequence[str] = (),
        rendered: Mapping[str, Mapping[str, str]] | None = None,
        forks: int = 1,
    ) -> tuple[PlaybookEvent, ...]:
        """Do to the instances what the playbook of that name does."""
        assert inventories == self.topology.sources
        log.parent.mkdir(parents=True, exist_ok=True)
        listener(PlaybookEvent("task", name))
        events = []
        for host in limit or list(self.instances):
            self._moment(f"{name} {host}")
            if f"{name} {host}" in self.fails:
                raise OperationFailed(f"playbook {name} failed on {host}")
            self._do(name, host, dict(variables or {}), (rendered or {}).get(host))
            events.append(PlaybookEvent("host", name, host, "ok", changed=True, message=f"{name} done"))
            listener(events[-1])
        return tuple(events)

    def _do(
        self, name: str, host: str, variables: Mapping[str, Value], rendered: Mapping[str, str] | None
    ) -> None:
        each = self.instances[host]
        if name in {"site", "place"}:
            assert rendered, "files are rendered once, by rmqops"
            self._place(host, rendered)
        if name == "site":
            archives = variables["rocketmq_archives"]
            assert isinstance(archives, list)
            assert isinstance(archives[0], dict)
            each.release = str(archives[0]["name"])
        if name in {"stop", "restart", "destroy"}:
            self._stop(each)
        if name in {"site", "start", "restart"} and not each.running:
            self._start(host)
        if name == "destroy":
            each.mark, each.files, each.release = None, {}, ""

    def _place(self, name: str, rendered: Mapping[str, str]) -> None:
        each = self.instances[name]
        each.mark = f"{self.topology.cluster}/{name}"
        each.files, each.tree_name = dict(rendered), None

    def _start(self, name: str) -> None:
        each = self.instances[name]
        assert not each.running, f"{name} runs already"
        each.running = (each.tree, each.release, each.settings)
        for group in self.topology.groups:
            assert len(self.masters(group)) < 2, f"two masters in {group.name}: {self.masters(group)}"
        answer = self._nameserver if each.instance.kind == "namesrv" else self._broker
        each.peer = Peer(lambda request: answer(each, request))
        self._host.call(each.peer.start(each.instance.port, self.address))

    def _stop(self, each: ScriptedInstance) -> None:
        each.running = None
        self.refusing.discard(each.instance.name)
        if each.peer is not None:
            self._host.call(each.peer.stop())
            each.peer = None

    def _moment(self, text: str) -> None:
        self.moments.append(text)
        if happens := self.before.pop(text, None):
            happens()
        if self.interrupt_at == len(self.moments) - 1:
            raise self.interruption

    # Hosts.

    def _answer(self, command: Command) -> tuple[int, str]:
        if command.argv[0] != "/bin/sh":
            return 0, self._tail(*command.argv[-6:-1])
        script, arguments = command.argv[2], command.argv[4:]
        if "flock" in script:
            self._moment("lock")
            return 0, "busy somebody else" if self.lock_held() else "held"
        if "listening" in script:
            self._moment("ask hosts")
            ports = " ".join(f"0100007F:{port:04X}" for port in sorted(self.taken_ports))
            homes = arguments[::6]
            return 0, "\n".join([f"listening {ports}", *map(self._facts, homes)]) + "\n"
        if "ports=" in script:
            return 0, "".join(f"{port} pid 99 (squatter)\n" for port in arguments)
        if "-XX:-UsePerfData -version" in command.argv[2]:
            return 0, "code 0\n\x1eend 0\n" * len(self.instances)
        if "/promoted" in script:
            return self._record(script, f"{arguments[0]}/promoted")
        if "current/bin/reason.sh" in script and len(arguments) == 1:
            return 0, "the end of its log\n"
        raise AssertionError(f"no host knows {command}")

    def _record(self, script: str, path: str) -> tuple[int, str]:
        if script.startswith("rm"):
            self._moment("remove record")
            self.transport.files.pop(path, None)
            return 0, ""
        content, _ = self.transport.files.get(path, (b"", 0))
        return 0, content.decode()

    def _facts(self, home: str) -> str:
        each = next(one for one in self.instances.values() if one.instance.home == home)
        lines = [f"instance {home}", f"release {each.release}"]
        if each.instance.bundles_java:
            lines.append(f"java {'java-17' if each.release else ''}")
        lines += [f"heal 1796083200 {fault}.sh" for fault in each.heals]
        if each.mark is None:
            return "\n".join(lines)
        places = (home, each.instance.text("rocketmq_data_dir"), each.instance.text("rocketmq_log_dir"))
        lines.append("deployer 0")
        for part, wanted, path in zip(("instance", "data", "logs"), (755, 750, 750), places, strict=True):
            whose = f"holds {part} precious" if part in each.strange else f"marked {part} {each.mark}"
            lines += [f"place {path}", f"stat 0 root {wanted} {path}/.", whose]
        lines.append(f"tree {each.tree}")
        for path, (mode, digest) in each.fingerprints.items():
            lines += [f"mode {mode.lstrip('0')} {path}", f"{digest}  ./{path}"]
        lines += [f"setting {key}={value}" for key, value in each.settings.items()]
        if each.running:
            tree, release, _ = each.running
            lines += ["pid 7", f"running {tree}", f"on {release}"]
        return "\n".join(lines)

    def _tail(self, home: str, _log: str, _root: str, start: str, aside: str) -> str:
        each = next(one for one in self.instances.values() if one.instance.home == home)
        assert not each.running, f"the log of {each.instance.name} is read while it runs"
        self._moment(f"{'set aside' if aside else 'count'} {each.instance.name}")
        size = max(0, each.log_end - int(start))
        if aside:
            each.log_end = min(each.log_end, int(start))
        before = "same" if self.same_logs else each.instance.name
        return json.dumps(
            {"messages": size // MESSAGE, "bytes": size, "before": before, "aside": aside if size else ""}
        )

    # Processes.

    def _broker_id(self, name: str) -> int | None:
        """Return the broker id that a process runs with; None for one that is down, and for a NameServer."""
        each = self.instances[name]
        if each.running is None or each.instance.kind != "broker":
            return None
        group = next(group for group in self.topology.groups if group.name == each.instance.group)
        if group.mode != "dledger":
            return int(each.running[2]["brokerId"])
        running = [member.name for member in group.members if self.instances[member.name].running]
        return running.index(name)  # the first one leads

    def _copy(self) -> None:
        for group in self.topology.groups:
            for master in self.masters(group):
                for member in group.members:
                    if self.copying and self.instances[member.name].running:
                        self.instances[member.name].log_end = self.instances[master].log_end

    def _nameserver(self, each: ScriptedInstance, request: Frame) -> Frame:
        if request.code == RequestCode.GET_NAMESRV_CONFIG:
            return reply(request, body=self._properties(each))
        if request.code == RequestCode.GET_BROKER_CLUSTER_INFO:
            groups = self._registered()
            info = {"brokerAddrTable": groups, "clusterAddrTable": {self.topology.cluster: list(groups)}}
            return reply(request, body=json.dumps(info).encode())
        if request.code == RequestCode.GET_ALL_TOPICS:
            known = {topic for one in self.instances.values() if one.running for topic in one.topics}
            return reply(request, body=json.dumps({"topicList": sorted(known)}).encode())
        if request.code == RequestCode.GET_ROUTE_BY_TOPIC:
            return self._route(request, request.fields["topic"])
        if request.code == RequestCode.DELETE_TOPIC_IN_NAMESRV:
            return reply(request)
        raise AssertionError(f"no NameServer knows request {request.code}")

    def _registered(self) -> dict[str, dict[str, object]]:
        groups: dict[str, dict[str, object]] = {}
        for group in self.topology.groups:
            ids = {member.address: self._broker_id(member.name) for member in group.members}
            addresses = {str(number): address for address, number in ids.items() if number is not None}
            if addresses:
                groups[group.name] = {
                    "brokerName": group.name,
                    "cluster": self.topology.cluster,
                    "brokerAddrs": addresses,
                }
        return groups

    def _route(self, request: Frame, topic: str) -> Frame:
        registered = self._registered()
        queues = [
            {"brokerName": group.name, **self.instances[master].topics[topic]}
            for group in self.topology.groups
            for master in self.masters(group)
            if topic in self.instances[master].topics
        ]
        if not queues:
            return reply(request, 17, remark="No topic route info")
        groups = [registered[str(each["brokerName"])] for each in queues]
        return reply(request, body=json.dumps({"brokerDatas": groups, "queueDatas": queues}).encode())

    def _broker(self, each: ScriptedInstance, request: Frame) -> Frame:
        answers: dict[int, Callable[[ScriptedInstance, Frame], Frame]] = {
            RequestCode.GET_BROKER_RUNTIME_INFO: self._runtime_info,
            RequestCode.GET_BROKER_CONFIG: lambda each, request: reply(request, body=self._properties(each)),
            RequestCode.UPDATE_BROKER_CONFIG: self._update_config,
            RequestCode.GET_ALL_TOPIC_CONFIG: lambda each, request: reply(
                request, body=json.dumps({"topicConfigTable": each.topics}).encode()
            ),
            RequestCode.UPDATE_AND_CREATE_TOPIC: self._create_topic,
            RequestCode.DELETE_TOPIC_IN_BROKER: self._delete_topic,
            RequestCode.GET_ALL_SUBSCRIPTION_GROUPS: lambda each, request: reply(
                request, body=json.dumps({"subscriptionGroupTable": each.groups}).encode()
            ),
            RequestCode.UPDATE_AND_CREATE_SUBSCRIPTION_GROUP: self._create_group,
            RequestCode.DELETE_SUBSCRIPTION_GROUP: self._delete_group,
            RequestCode.SEND_MESSAGE_V2: self._send,
            RequestCode.PULL_MESSAGE: self._pull,
            RequestCode.GET_CONSUMER_CONNECTIONS: lambda each, request: reply(request, 206, remark="not online"),
            RequestCode.GET_CONSUME_STATS: self._progress,
            RequestCode.GET_MIN_OFFSET: lambda each, request: reply(request, offset=0),
            RequestCode.GET_MAX_OFFSET: lambda each, request: reply(
                request,
                offset=len(each.queues.get((request.fields["topic"], int(request.fields["queueId"])), ())),
            ),
        }
        return answers[request.code](each, request)

    @staticmethod
    def _properties(each: ScriptedInstance) -> bytes:
        assert each.running
        return "".join(f"{key}={value}\n" for key, value in each.running[2].items()).encode()

    def _runtime_info(self, each: ScriptedInstance, request: Frame) -> Frame:
        self._copy()
        values = {
            "brokerVersionDesc": f"V{self.topology.version.replace('.', '_')}",
            "commitLogMinOffset": "0",
            "commitLogMaxOffset": str(each.log_end),
            "dispatchBehindBytes": "0",
        }
        return reply(request, body=json.dumps({"table": values}).encode())

    def _update_config(self, each: ScriptedInstance, request: Frame) -> Frame:
        key, _, value = request.body.decode().strip().partition("=")
        assert key == "startAcceptSendRequestTimeStamp"
        (self.refusing.discard if value == "0" else self.refusing.add)(each.instance.name)
        return reply(request)

    @staticmethod
    def _create_topic(each: ScriptedInstance, request: Frame) -> Frame:
        each.topics[request.fields["topic"]] = {
            "perm": int(request.fields["perm"]),
            "readQueueNums": int(request.fields["readQueueNums"]),
            "writeQueueNums": int(request.fields["writeQueueNums"]),
        }
        return reply(request)

    @staticmethod
    def _delete_topic(each: ScriptedInstance, request: Frame) -> Frame:
        each.topics.pop(request.fields["topic"], None)
        return reply(request)

    @staticmethod
    def _progress(each: ScriptedInstance, request: Frame) -> Frame:
        """Answer as brokers do, whose keys are objects of JSON."""
        name = each.instance.group
        table = {
            json.dumps({"topic": topic, "brokerName": name, "queueId": number}): {
                "brokerOffset": len(each.queues.get((topic, number), ())),
                "consumerOffset": consumed,
            }
            for (group, topic, number), consumed in each.consumed.items()
            if group == request.fields["consumerGroup"]
        }
        return reply(request, body=json.dumps({"offsetTable": table}).encode())

    @staticmethod
    def _create_group(each: ScriptedInstance, request: Frame) -> Frame:
        config: dict[str, object] = json.loads(request.body)
        each.groups[str(config["groupName"])] = config
        return reply(request)

    @staticmethod
    def _delete_group(each: ScriptedInstance, request: Frame) -> Frame:
        each.groups.pop(request.fields["groupName"], None)
        return reply(request)

    def _send(self, each: ScriptedInstance, request: Frame) -> Frame:
        if self._broker_id(each.instance.name) != 0:
            return reply(request, 16, remark="the broker is a slave")
        if each.instance.name in self.refusing:
            return reply(request, 14, remark="the broker's service is not available now")
        queue = each.queues.setdefault((request.fields["b"], int(request.fields["e"])), [])
        queue.append(request.body[::-1] if self.corrupting else request.body)
        each.log_end += MESSAGE
        return reply(request, queueId=request.fields["e"], queueOffset=len(queue) - 1, msgId="ID")

    @staticmethod
    def _pull(each: ScriptedInstance, request: Frame) -> Frame:
        topic, number, offset = (request.fields[name] for name in ("topic", "queueId", "queueOffset"))
        queue = each.queues.get((topic, int(number)), [])
        batch = queue[int(offset) :]
        body = b"".join(
            stored(text, topic=topic, queue=int(number), offset=int(offset) + place)
            for place, text in enumerate(batch)
        )
        return reply(
            request,
            0 if batch else 19,
            body,
            nextBeginOffset=len(queue),
            minOffset=0,
            maxOffset=len(queue),
            suggestWhichBrokerId=0,
        )


class _ScriptedTransport(FakeTransport):
    """A fake to which writing a file is a moment as well."""

    def __init__(
        self, answer: Callable[[Command], tuple[int, str]], host: str, moment: Callable[[str], None]
    ) -> None:
        super().__init__(answer, host)
        self._moment = moment

    def put(self, content: bytes, path: str, mode: int) -> None:
        """Keep the file."""
        self._moment(f"write {Path(path).name}")
        super().put(content, path, mode)


class _Loop:
    """An event loop in a thread of its own, on which the peers answer while the code under test blocks."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        """Start it."""
        self._thread.start()

    def call(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine there, to its end."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def stop(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


def _loopback_address() -> str:
    """Return an address of this machine that no other process, and no other fleet of this one, uses."""
    number = os.getpid() * 64 + next(_ADDRESSES) % 64
    return f"127.{64 + (number >> 16) % 128}.{(number >> 8) % 256}.{number % 256}"
