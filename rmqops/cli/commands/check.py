"""``rmqops check``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rmqops.cli import host_access, output
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Inventory, Json, Yes
from rmqops.cli.output import Styled
from rmqops.errors import PreflightFailed, Unsafe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rmqops.model.topology import Topology
    from rmqops.operations.check.check import CheckReport, ProbeResult

_STYLES = {"failed": "red", "unknown": "magenta", "warning": "yellow", "ok": ""}
"""Of each severity, the worst first."""
_ORDER = tuple(_STYLES)
_NAMED_HOSTS = 3


def command(
    inventory: Inventory,
    apply: Annotated[
        bool, typer.Option("--apply", help="Mend what is safe, after asking, and look again.")
    ] = False,
    yes: Yes = False,
    json: Json = False,
    forks: Annotated[int, typer.Option("--forks", min=1, max=500, help="Machines asked at once.")] = 36,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what is as wanted, too.")] = False,
) -> int:
    """Look whether every machine is fit for the cluster; changes nothing without --apply.

    Each finding comes with host, probe, what was found, what is wanted and the remedy (docs/check.md). Exits
    with 0 when nothing failed, warnings or not, and with 4 when something failed or could not be found out.
    """
    from rmqops.operations import inventories
    from rmqops.operations.check import check

    loaded = inventories.load(inventory)
    if loaded.placeholders:
        first = loaded.placeholders[0]
        raise PreflightFailed(
            f"{loaded.topology.inventory} is a sample: {first.host} has {first.found}; nothing was touched",
            remedy=first.remedy,
        )
    try:
        host_access.prepare(loaded.topology, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass)
    except PreflightFailed as error:
        output.note(f"warning: {error.message}")  # each such host has a row of its own
    report = check.check(loaded.topology, forks=forks)
    if apply and report.offers:
        report = _apply(loaded.topology, report, forks, yes)
    elif apply:
        output.note("nothing that --apply could mend")
    if json:
        output.result_json(report.json())
    else:
        _show(report, verbose)
    return 0 if report.passed else PreflightFailed.exit_code


def _apply(topology: Topology, report: CheckReport, forks: int, yes: bool) -> CheckReport:
    """Mend after asking, say what was done, and look again."""
    from rmqops.operations.change import audit, lock
    from rmqops.operations.check import check

    rows = [[offer.machine.name, offer.probe, offer.mend.summary] for offer in report.offers]
    output.table("what --apply changes", ["host", "probe", "change"], rows, stderr=True)
    if not yes and not output.confirm("Go on?"):
        raise Unsafe("not confirmed; nothing was touched", remedy="answer y, or give --yes")
    with audit.recorded("check", topology) as entry, lock.held(topology, "check --apply"):
        entry.plan = [f"{offer.machine.name}: {offer.mend.summary}" for offer in report.offers]
        for row in check.mend(report, forks=forks):
            output.note(f"{row.host}: {row.probe}: {row.finding.found}")
    return check.check(topology, forks=forks)


def _show(report: CheckReport, verbose: bool) -> None:
    rows = [row for row in report.rows if verbose or row.finding.severity != "ok"]
    if rows:
        columns = ["", "host", "probe", "found", "wanted", "remedy"]
        output.table(f"check of {report.cluster}", columns, _lines(report, rows))
    good = [row for row in report.rows if row.finding.severity == "ok"]
    if good and not verbose:
        names = ", ".join(dict.fromkeys(row.probe for row in good))
        output.result(f"{len(good)} as wanted ({names}); --verbose shows them")
    numbers = {
        "failed": report.count("failed"),
        "unknown": report.count("unknown"),
        "warnings": report.count("warning"),
    }
    counts = ", ".join(f"{number} {what}" for what, number in numbers.items() if number)
    verdict = "fit" if report.passed else "not fit"
    output.result(f"{report.cluster} is {verdict}{f': {counts}' if counts else ''}")


def _lines(report: CheckReport, rows: Sequence[ProbeResult]) -> list[list[str | Styled]]:
    """Return the lines of the table, worst first; what several machines have in common is one line."""
    hosts: dict[tuple[str, ...], list[str]] = {}
    for row in sorted(rows, key=lambda row: _ORDER.index(row.finding.severity)):
        finding = row.finding
        probe = f"{row.probe} {finding.subject}".strip()
        key = (finding.severity, probe, finding.found, finding.wanted, finding.remedy)
        hosts.setdefault(key, []).append(row.host)
    every = len({row.host for row in report.rows if row.instances})
    return [
        [Styled(severity, _STYLES[severity]), _listed(names, every), *rest]
        for (severity, *rest), names in hosts.items()
    ]


def _listed(names: Sequence[str], every: int) -> str:
    if len(names) == every and every > 1:
        return f"all {every}"
    rest = f" and {len(names) - _NAMED_HOSTS} more" if len(names) > _NAMED_HOSTS else ""
    return ", ".join(names[:_NAMED_HOSTS]) + rest
