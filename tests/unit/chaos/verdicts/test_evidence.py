"""The evidence of a finding: what became of a message or of a fault."""

from __future__ import annotations

from pathlib import Path

from rmqops.chaos.history.fault_records import FaultRecord
from rmqops.chaos.history.format import NEMESIS
from rmqops.chaos.history.reader import open_history
from rmqops.chaos.verdicts.evidence import count, fault_evidence, message_evidence, not_drained
from rmqops.chaos.verdicts.verdict import EVIDENCE_LIMIT
from tests.support import drill
from tests.unit.chaos.verdicts.checks.recorded import write


def test_a_number_has_its_noun() -> None:
    assert (count(1, "message"), count(2000, "message")) == ("1 message", "2,000 messages")


def test_only_some_of_many_queues_are_named() -> None:
    assert not_drained(["a/0"]) == "not read back to the end: a/0"
    assert not_drained([f"a/{number}" for number in range(10)]).endswith("a/7 and 2 more")


def test_a_message_has_who_sent_it_who_read_it_and_who_did_not(tmp_path: Path) -> None:
    events = [event for event in drill.history() if not (event.process == "drain-broker-a-n2" and event.key)]
    with open_history(write(events, tmp_path)) as history:
        keys = history.keys("select k from acknowledged where o < 2 order by o")
        first, second = message_evidence(history, "odd", keys)
    assert (first.note, first.key, first.process, first.offset, first.address) == (
        "odd", "k0", "producer-1", 0, drill.ADDRESSES[0]
    )  # fmt: skip
    assert first.found == ("consumer-1 at broker-a/0@0", *(f"drain-broker-a-n{n} at broker-a/0@0" for n in (0, 1)))
    assert first.missing == ("drain-broker-a-n2",)
    assert second.missing == tuple(f"drain-broker-a-n{number}" for number in range(3))


def test_a_fault_has_its_kind_its_victim_and_a_note() -> None:
    faults = [FaultRecord("kill", "master", f"broker-{number}", "h:1", 1.5) for number in range(30)]
    evidence = fault_evidence(faults, lambda fault: f" was not seen healed ({fault.target})")
    assert len(evidence) == EVIDENCE_LIMIT
    assert (evidence[0].note, evidence[0].process, evidence[0].t) == (
        "kill of broker-0 was not seen healed (master)", NEMESIS, 1.5
    )  # fmt: skip
    (nobody,) = fault_evidence([FaultRecord("delay", "slave")], lambda _: "")
    assert nobody.note == "delay of slave"
