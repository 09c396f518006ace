"""Write a seeded history of a drill that kills the leader, as long as is asked for, without a cluster.

    python benchmarks/make_history.py 1000000 /tmp/history.jsonl --seed 7

The cluster is imitated closely enough for the checks to have all their work: three NameServers, groups of three
members, pipelined producers, consumers that follow the commit, the leader of the first group killed at 40 % of the
run, sends in flight that are lost to view (about a third of them stored), refusals until the new leader stands
after some 5 s, the route of each NameServer, the heal, the recovery, and the read-back of every queue from every
member. A good history passes every check; the tests mutate it.

An **operation** is one completed send: its ``invoke`` and its outcome. Besides its two lines, each send that was
stored has one line for the consumer that read it and three for the members that it was read back from, so that
1,000,000 operations are 6,000,000 events in 3,100,000 lines.
"""

from __future__ import annotations

import argparse
import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from rmqops.chaos.history import run_record
from rmqops.chaos.history.batches import BATCH, pack
from rmqops.chaos.history.format import CONSUMER, DRAIN, MASTER, NEMESIS, RECOVERED, TERM
from rmqops.model.history import Event, Op, Type

NAMESERVERS = ("namesrv-1", "namesrv-2", "namesrv-3")
TOPIC = "drill-kill-master"
POLL = 0.02
OUTAGE = 5.4
HEAL_AFTER = 12.0
RECOVERED_AFTER = 16.0
RETRY_PAUSE = 0.1
SAMPLED = 0.25
"""Seconds between two looks at what has been committed."""
TAKEN_OVER = 40
"""Looks between which a slave takes over its master's offsets once."""
LAST_RECEIVES = 0.5


@dataclass(frozen=True)
class Shape:
    """How large the imitated drill is; ``pace`` is the mean time of a send in seconds."""

    sends: int
    seed: int = 7
    groups: int = 1
    queues: int = 8
    producers: int = 8
    in_flight: int = 8
    consumers: int = 2
    pace: float = 0.016
    commits: bool = False
    """The consumers are one group that shares the queues and commits, and the run says so."""


@dataclass
class Queue:
    """One queue: the keys in it, in order."""

    topic: str
    broker: str
    number: int
    keys: list[str] = field(default_factory=list)
    read: int = 0
    """The offset that is read next."""


class Imitation:
    """A drill played out in simulated time; events come out in order of ``t``."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.random = random.Random(shape.seed)
        self.groups = [f"broker-{chr(ord('a') + number)}" for number in range(shape.groups)]
        self.queues = [Queue(TOPIC, group, number) for group in self.groups for number in range(shape.queues)]
        self.kill_at = max(2.0, 0.4 * shape.sends * shape.pace / (shape.producers * shape.in_flight))
        self.new_leader_at = self.kill_at + OUTAGE
        self.last = 0.0
        self.sent = 0
        self.heap: list[tuple[float, int, Event, Queue | None]] = []
        self.tie = 0
        self.lines = dict.fromkeys((f"{CONSUMER}{number}" for number in range(shape.consumers)), 0)
        self.committed: dict[tuple[str, int], dict[str, str]] = {}
        """By group and member."""
        self.looks = 0
        self.seen: dict[str, int | None] = {}
        """Who was master at the last look."""

    def events(self) -> Iterator[Event]:
        """Play the drill."""
        if self.shape.commits:
            shared = run_record.Subscription(TOPIC, TOPIC)
            yield run_record.begin(0.0, {}, (), dict.fromkeys(self.lines, shared))
            self._push(Event(SAMPLED, "", "committed", "ok"))
        self._plan_cluster()
        for producer in range(self.shape.producers):
            for _ in range(self.shape.in_flight):
                self._invoke(f"producer-{producer}", self.random.random() * 0.01)
        while self.heap:
            t, _, event, queue = heapq.heappop(self.heap)
            self.last = t
            if event.op == "committed":
                yield from self._look(t)
            elif event.op != "send":
                self._follow(event)
                yield event
            elif event.type == "invoke":
                yield event
                self._answer(event, queue)
            else:
                yield from self._finish(event, queue)
        for process, number in self.lines.items() if self.shape.commits else ():
            yield run_record.wrote(self.last, process, number)
        yield from self._read_back()
        if self.shape.commits:
            yield run_record.end(self.last + LAST_RECEIVES, None)

    def _follow(self, event: Event) -> None:
        """Note what a consumer has read."""
        if event.op == "receive":
            self.lines[event.process] += 1
            queue = next(each for each in self.queues if (each.broker, each.number) == (event.broker, event.queue))
            queue.read = int(event.offset or 0) + 1

    def _look(self, t: float) -> Iterator[Event]:
        """Tell what each member says was committed; one that has become master has what it last took over."""
        for group in self.groups:
            dead = group == self.groups[0] and self.kill_at <= t < self.kill_at + HEAL_AFTER
            leader = int(group == self.groups[0] and t >= self.new_leader_at)
            now = {str(queue.number): str(queue.read) for queue in self.queues if queue.broker == group}
            for member in range(3):
                known = self.committed.setdefault((group, member), dict.fromkeys(now, "0"))
                commits = member == leader == self.seen.get(group) and not (dead and member == 0)
                if commits or (member != leader and not dead and self.looks % TAKEN_OVER == 0):
                    known.update(now)
                told = Event(
                    t, f"{group}-n{member}", "committed", "ok", TOPIC, group, key=TOPIC,
                    address=self._address(group, member), value=dict(known),
                )  # fmt: skip
                gone = replace(told, type="fail", error="it does not answer", value=None)
                yield gone if dead and member == 0 else told
            self.seen[group] = leader
        self.looks += 1
        if self.heap:
            self._push(Event(t + SAMPLED, "", "committed", "ok"))

    def _push(self, event: Event, queue: Queue | None = None) -> None:
        self.tie += 1
        heapq.heappush(self.heap, (event.t, self.tie, event, queue))

    def _invoke(self, producer: str, t: float) -> None:
        if self.sent >= self.shape.sends and t > self.kill_at + RECOVERED_AFTER + 6:
            return
        self.sent += 1
        queue = self.random.choice(self.queues)
        key = f"{producer[9:]}-{self.sent:08x}"
        self._push(Event(t, producer, "send", "invoke", queue.topic, key=key), queue)

    def _answer(self, sent: Event, queue: Queue | None) -> None:
        """Decide how a send ends: the first group's leader is dead for a while."""
        assert queue is not None
        latency = self.random.lognormvariate(0, 0.4) * self.shape.pace
        t = sent.t + latency
        dead = queue.broker == self.groups[0] and sent.t < self.new_leader_at and t >= self.kill_at
        outcome: Type = "ok"
        error = None
        address = self._leader(queue.broker, t)
        if dead and sent.t < self.kill_at:
            outcome, error, t = "info", "connection lost", self.kill_at + 0.001 + self.random.random() * 0.01
        elif dead:
            outcome, error, t = "fail", f"{address} refused the connection", sent.t + 0.001
        self._push(
            Event(
                t,
                sent.process,
                "send",
                outcome,
                queue.topic,
                queue.broker,
                queue.number,
                None,
                sent.key,
                error,
                address,
            ),
            queue,
        )

    def _finish(self, answer: Event, queue: Queue | None) -> Iterator[Event]:
        assert queue is not None
        stored = answer.type == "ok" or (answer.type == "info" and self.random.random() < 1 / 3)
        offset = len(queue.keys)
        if stored:
            queue.keys.append(str(answer.key))
            self._receive(answer, offset)
        yield Event(
            answer.t,
            answer.process,
            "send",
            answer.type,
            answer.topic,
            answer.broker,
            answer.queue,
            offset if answer.type == "ok" else None,
            answer.key,
            answer.error,
            answer.address,
        )
        pause = RETRY_PAUSE if answer.type != "ok" else 0.0001
        self._invoke(answer.process, answer.t + pause)

    def _receive(self, stored: Event, offset: int) -> None:
        consumer = f"{CONSUMER}{int(stored.queue or 0) % self.shape.consumers}"
        t = stored.t + 0.004
        if stored.type == "info":
            t = self.new_leader_at
        self._push(
            Event(
                t,
                consumer,
                "receive",
                "ok",
                stored.topic,
                stored.broker,
                stored.queue,
                offset,
                stored.key,
                address=self._leader(str(stored.broker), t),
            )
        )

    def _leader(self, group: str, t: float) -> str:
        number = 1 if group == self.groups[0] and t >= self.new_leader_at else 0
        return self._address(group, number)

    def _address(self, group: str, member: int) -> str:
        return f"127.0.0.1:{20911 + 100 * self.groups.index(group) + 10 * member}"

    def _plan_cluster(self) -> None:
        """Lay out what the nemesis does and what each NameServer answers, once a second and at each change."""
        for server in NAMESERVERS:
            changes = [(0.0, 0), (self.kill_at + self.random.random() * 0.06, None)]
            changes.append((self.new_leader_at - 0.2 + self.random.random() * 0.1, 1))
            end = max(self.shape.sends * self.shape.pace / 64, self.kill_at + RECOVERED_AFTER + 6)
            for at, leader in changes:
                self._route(server, at, self.groups[0], leader)
            for second in range(1, int(end)):
                leader = [value for at, value in changes if at <= second][-1]
                self._route(server, float(second), self.groups[0], leader)
                for group in self.groups[1:]:
                    self._route(server, float(second), group, 0)
        address = self._address(self.groups[0], 0)
        value = {"target": "master", "instance": f"{self.groups[0]}-n0", "address": address}
        steps: list[tuple[float, Op, Type, str]] = [
            (0.0, "fault", "invoke", "kill"),
            (0.03, "fault", "ok", "kill"),
            (HEAL_AFTER, "heal", "invoke", "kill"),
            (HEAL_AFTER + 0.4, "heal", "ok", "kill"),
            (HEAL_AFTER + 0.4, "heal", "invoke", RECOVERED),
            (RECOVERED_AFTER, "heal", "ok", RECOVERED),
        ]
        for after, op, outcome, kind in steps:
            event = Event(self.kill_at + after, NEMESIS, op, outcome, key=kind)
            if kind == "kill":
                event = replace(event, broker=self.groups[0], value=value)
            self._push(event)

    def _route(self, server: str, t: float, group: str, leader: int | None) -> None:
        others = [member for member in range(3) if member != leader and not (leader is None and member == 0)]
        value = {str(member + 1): self._address(group, member) for member in others}
        if leader is not None:
            value[MASTER] = self._address(group, leader)
        self._push(Event(t, server, "route", "ok", broker=group, value=value))

    def _read_back(self) -> Iterator[Event]:
        t = self.last + LAST_RECEIVES
        for group in self.groups:
            yield Event(t, f"{group}-n0", "leader", "ok", broker=group, value={TERM: "1"})
        yield Event(t, f"{self.groups[0]}-n1", "leader", "ok", broker=self.groups[0], value={TERM: "2"})
        for group in self.groups:
            for member in (1, 0, 2):
                drain = f"{DRAIN}{group}-n{member}"
                address = self._address(group, member)
                for queue in (queue for queue in self.queues if queue.broker == group):
                    end = len(queue.keys)
                    yield Event(t, drain, "receive", "invoke", TOPIC, group, queue.number, end)
                    for offset, key in enumerate(queue.keys):
                        t += 0.00002 * BATCH if offset % BATCH == 0 else 0
                        yield Event(
                            t, drain, "receive", "ok", TOPIC, group, queue.number, offset, key, address=address
                        )


def write(shape: Shape, target: Path) -> int:
    """Write the history and return its number of lines."""
    lines = 0
    with target.open("w", encoding="utf-8") as file:
        for record in pack(Imitation(shape).events()):
            file.write(record.record() + "\n")
            lines += 1
    return lines


def main() -> None:
    """Read the command line and write the history."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("operations", type=int)
    parser.add_argument("target", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--groups", type=int, default=1)
    chosen = parser.parse_args()
    lines = write(Shape(chosen.operations, chosen.seed, chosen.groups), chosen.target)
    print(f"{chosen.target}: {lines} lines, {chosen.target.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
