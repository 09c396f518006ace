"""The JVM of each instance starts with the options of the inventory, tried with ``-version`` as its user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rmqops.model.commands import Command
from rmqops.operations.check.probes import Finding, Survey, failed, ok, unknown, warning
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer
from rmqops.operations.plan import jvm_start
from rmqops.operations.plan.jvm_start import Start

SUMMARY = (
    "The JVM starts with the very options of each instance, as the user that it will run as; a process that runs "
    "is not disturbed."
)
_WANTED: Final = "a JVM that starts with the options of the inventory"


def ask(machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Start each JVM that differs from the others by more than its directories."""
    for question in jvm_start.questions(machine.instances):
        yield question.command


def judge(machine: Machine, answers: tuple[Answer, ...], survey: Survey) -> Iterator[Finding]:
    """Say what the JVMs said; a Java that is not there is told by the probe `java`, or brought by a deploy."""
    for question, answer in zip(jvm_start.questions(machine.instances), answers, strict=True):
        yield _finding(jvm_start.judged(question, answer), survey)


def _finding(start: Start, survey: Survey) -> Finding:
    names = ", ".join(instance.name for instance in start.instances)
    if start.absent:
        return ok("no Java to try it with yet", _WANTED, subject=names)
    if not start.trouble:
        return ok("it starts", _WANTED, subject=names)
    if start.inconclusive:
        alive = any(survey.facts[one.name].alive for one in start.instances if one.name in survey.facts)
        if alive:
            remedy = "Look again after the old process has ended, or start it by hand with -version"
            return warning(
                f"not found out while the old one runs: {start.trouble}", _WANTED, remedy, subject=names
            )
        remedy = "Start it by hand: bin/run.sh of the instance says what it runs"
        return unknown(start.trouble, _WANTED, remedy, subject=names)
    remedy = "Correct rocketmq_jvm_options and the sizes of memory, or install another Java"
    return failed(start.trouble, _WANTED, remedy, subject=names)
