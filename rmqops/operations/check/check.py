"""Whether the machines of a cluster are fit for it: every probe on every machine, in a few round trips.

All that the probes ask a machine in one round is one command there, and the machines are asked at once. A machine
that cannot be asked is one failed row, and holds up nobody.
"""

from __future__ import annotations

import platform
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from rmqops.errors import BecomeRefused, OperationFailed, RmqopsError
from rmqops.model.commands import Command
from rmqops.model.topology import Topology
from rmqops.operations.check import probes
from rmqops.operations.check.probes import Finding, FindingSeverity, Mend, Survey, ssh, sudo
from rmqops.operations.hosts import facts, sections
from rmqops.operations.hosts.facts import Facts
from rmqops.operations.hosts.machines import Machine, machines
from rmqops.operations.hosts.sections import Answer
from rmqops.system import parallel
from rmqops.transport.base import Transports, transport_for
from rmqops.transport.base import check as must
from rmqops.transport.local import LocalTransport

FORKS = 36
"""Machines asked at once."""
ROUND_SECONDS = 25.0
"""How long a machine may take to answer all questions of a round."""
MEND_SECONDS = 30.0
CONTROLLER = "this machine"


@dataclass(frozen=True)
class ProbeResult:
    """A finding with its place."""

    host: str
    instances: tuple[str, ...]
    """Those on that machine."""
    probe: str
    finding: Finding

    def json(self) -> dict[str, object]:
        """Return the row as ``rmqops check --json`` prints it."""
        finding = self.finding
        return {
            "host": self.host,
            "instances": list(self.instances),
            "probe": self.probe,
            "subject": finding.subject or None,
            "severity": finding.severity,
            "found": finding.found,
            "wanted": finding.wanted,
            "remedy": finding.remedy or None,
        }


@dataclass(frozen=True)
class Offer:
    """What ``--apply`` would do on one machine."""

    machine: Machine
    probe: str
    mend: Mend


@dataclass(frozen=True)
class CheckReport:
    """All that was found."""

    cluster: str
    rows: tuple[ProbeResult, ...]
    offers: tuple[Offer, ...] = field(default=())

    @property
    def passed(self) -> bool:
        """Whether nothing failed and nothing is unknown; warnings do not count."""
        return not self.count("failed") and not self.count("unknown")

    def count(self, severity: FindingSeverity) -> int:
        """Return how many findings are of a severity."""
        return sum(row.finding.severity == severity for row in self.rows)

    def json(self) -> dict[str, object]:
        """Return the object that ``rmqops check --json`` prints."""
        severities: tuple[FindingSeverity, ...] = ("ok", "warning", "failed", "unknown")
        return {
            "cluster": self.cluster,
            "passed": self.passed,
            "counts": {severity: self.count(severity) for severity in severities},
            "findings": [row.json() for row in self.rows],
            "mendable": [
                {"host": offer.machine.name, "probe": offer.probe, "summary": offer.mend.summary}
                for offer in self.offers
            ],
        }


def check(topology: Topology, *, forks: int = FORKS, transports: Transports = transport_for) -> CheckReport:
    """Run every probe on every machine of a cluster; changes nothing there.

    Args:
        topology: The cluster.
        forks: Machines asked at once.
        transports: How hosts are reached.
    """
    return _Check(topology, transports, forks).run()


def mend(
    report: CheckReport, *, forks: int = FORKS, transports: Transports = transport_for
) -> tuple[ProbeResult, ...]:
    """Do what the report offers, and return a row for each offer: ok, or failed with what was said."""

    def apply(offer: Offer) -> ProbeResult:
        transport = transports(offer.machine.instances[0])
        command = replace(offer.mend.command, timeout=MEND_SECONDS)
        try:
            must(transport.run(command), transport.host)
        except RmqopsError as error:
            what = " ".join(filter(None, [error.message, error.detail]))
            finding = probes.failed(what, offer.mend.summary, error.remedy or "Do it by hand")
        else:
            finding = probes.ok("done", offer.mend.summary)
        return _row(offer.machine, offer.probe, finding)

    return tuple(parallel.mapped(apply, report.offers, forks))


def _row(machine: Machine, probe: str, finding: Finding) -> ProbeResult:
    return ProbeResult(machine.name, tuple(item.name for item in machine.instances), probe, finding)


class _Check:
    """One run: asks round by round, then judges."""

    def __init__(self, topology: Topology, transports: Transports, forks: int) -> None:
        self._cluster = topology.cluster
        self._machines = machines(topology.instances)
        self._transports = transports
        self._forks = forks
        self._probes = probes.discover()
        self._answers: dict[str, dict[str, tuple[Answer, ...]]] = {name: {} for name in self._probes}
        self._lost: dict[str, RmqopsError] = {}
        self._clocks: dict[str, tuple[float, float]] = {}
        self._survey = Survey(
            machines=(),
            clocks=self._clocks,
            answers=self._answers,
            architecture=platform.machine(),
            python=sys.executable,
            token=f"rmqops-{secrets.token_hex(8)}",
        )

    def run(self) -> CheckReport:
        """Ask and judge."""
        controller = () if all(machine.local for machine in self._machines) else (Machine(CONTROLLER, ()),)
        self._first()
        count = max(len(probes.rounds(probe)) for probe in self._probes.values())
        number = 0
        try:
            for number in range(1, count):
                self._round(number, (*self._survey.machines, *controller))
        finally:
            if 0 < number < count - 1:  # Ctrl-C: the last round takes away what an earlier one has set up
                self._round(count - 1, self._survey.machines)
        rows = [row for machine in (*self._machines, *controller) for row in self._rows(machine)]
        return CheckReport(self._cluster, tuple(rows), tuple(self._offers()))

    def _round(self, number: int, machines: Sequence[Machine]) -> None:
        parallel.mapped(partial(self._ask, number), machines, self._forks)

    def _first(self) -> None:
        """Ask the first round, with which comes the state of the instances."""
        facts_by_name: dict[str, Facts] = {}

        def ask(machine: Machine) -> None:
            rest = self._ask(0, machine, facts.question(machine))
            try:
                if rest and rest[0].ok:
                    facts_by_name.update(facts.parse(machine, rest[0].output))
            except RmqopsError as error:
                self._lost[machine.name] = error

        parallel.mapped(ask, self._machines, self._forks)
        answered = tuple(machine for machine in self._machines if machine.name not in self._lost)
        self._survey = replace(self._survey, machines=answered, facts=facts_by_name)

    def _ask(self, number: int, machine: Machine, *more: Command) -> tuple[Answer, ...]:
        """Ask a machine all that the probes ask in a round, and ``more``; return the answers to the latter."""
        pairs = [
            (name, command)
            for name, probe in self._probes.items()
            for ask in probes.rounds(probe)[number : number + 1]
            for command in ask(machine, self._survey)
        ]
        commands = [*(command for _, command in pairs), *more]
        if not commands:
            return ()
        sent = time.time()
        try:
            transport = self._transports(machine.instances[0]) if machine.instances else LocalTransport()
            command = sections.joined(commands, ROUND_SECONDS, again=number > 0)
            result = must(transport.run(command), transport.host)
        except RmqopsError as error:
            self._lost[machine.name] = error
            return ()
        except Exception as error:  # whatever it is, it is about this machine, and the others go on
            text = f"{machine.name}: rmqops broke as it asked: {type(error).__name__}: {error}"
            self._lost[machine.name] = OperationFailed(
                text, remedy="try it by hand, and report this as a bug of rmqops"
            )
            return ()
        self._read_clock(machine, sections.clock(result.stdout, sent, time.time()))
        answers = sections.answers(result.stdout, len(commands))
        for (name, _), answer in zip(pairs, answers, strict=False):
            self._answers[name][machine.name] = (*self._answers[name].get(machine.name, ()), answer)
        return answers[len(pairs) :]

    def _read_clock(self, machine: Machine, bounds: tuple[float, float] | None) -> None:
        """Narrow a clock's bounds: the first round has the login in it, later ones are quick."""
        if bounds is not None:
            low, high = self._clocks.get(machine.name, bounds)
            self._clocks[machine.name] = (max(low, bounds[0]), min(high, bounds[1]))

    def _rows(self, machine: Machine) -> Iterator[ProbeResult]:
        if machine.name in self._lost:
            yield _row(machine, *_lost(self._lost[machine.name]))
        if machine in self._machines and machine not in self._survey.machines:
            return
        for name, probe in self._probes.items():
            if not machine.instances and not self._survey.of(name, machine):
                continue
            try:
                yield from [
                    _row(machine, name, finding)
                    for finding in probe.judge(machine, self._survey.of(name, machine), self._survey)
                ]
            except Exception as error:  # a probe that breaks has found nothing out, and the others go on
                text = f"the probe itself broke: {type(error).__name__}: {error}"
                yield _row(machine, name, probes.unknown(text, probe.SUMMARY, "Report it as a bug of rmqops"))

    def _offers(self) -> Iterator[Offer]:
        for machine in self._survey.machines:
            for name, probe in self._probes.items():
                offer = probes.mend(probe, machine, self._survey.of(name, machine), self._survey)
                if offer is not None:
                    yield Offer(machine, name, offer)


def _lost(error: RmqopsError) -> tuple[str, Finding]:
    """Return the one row of a machine that could not be asked, and the probe it belongs to."""
    what = error.message + (f": {' '.join(error.detail.split())}" if error.detail else "")
    if isinstance(error, BecomeRefused):
        return "sudo", probes.failed(what, sudo.WANTED, error.remedy or "Try it by hand, with sudo")
    return "ssh", probes.failed(what, ssh.WANTED, error.remedy or "Try it by hand, with ssh")
