"""Values in `rocketmq_config` go together, do something where they stand, and are alike where a group needs it."""

from __future__ import annotations

from collections.abc import Iterator

from rmqops.errors import Problem
from rmqops.model.cluster import Cluster
from rmqops.model.config_checks import Combination
from rmqops.model.config_values import VARIABLE, ConfigValues
from rmqops.model.rules.memory import size
from rmqops.model.yamltext import Origin


def check(cluster: Cluster) -> Iterator[Problem]:
    """Yield values that break one another, differ within a group, or do nothing."""
    hosts = [ConfigValues(host, cluster.reference) for host in cluster.members]
    for values in hosts:
        for combination in cluster.reference.config_checks.together:
            yield from _combined(values, combination)
    by_name = {values.host.name: values for values in hosts}
    for members in cluster.groups.values():
        yield from _same([by_name[host.name] for host in members if host.name in by_name])
    yield from _idle(hosts)


def _combined(values: ConfigValues, combination: Combination) -> Iterator[Problem]:
    told = next((name for name in combination.keys if name in values.good), None)
    if told is None or not values.holds(combination.when):
        return
    names = [*combination.terms, *combination.product]
    numbers = {name: values.number(name) for name in names if name in values.keys}
    room = next((size(text) for name in combination.within if (text := values.host.text(name))), None)
    if combination.broken(numbers, room):
        what = f"does not go with the other values: {combination.effect} ({combination.source.partition('#')[0]})"
        found = ", ".join(
            f"{name} {values.text(name)}" for name in (*numbers, *combination.within) if values.text(name)
        )
        severity = combination.severity
        key = f"{VARIABLE}.{told}"
        yield values.host.problem(key, what, f"Change one: {combination.says}", found=found, severity=severity)


def _same(members: list[ConfigValues]) -> Iterator[Problem]:
    """Yield what a member has otherwise than the first one of its group."""
    for values in members[1:]:
        first = members[0]
        for name in sorted({*values.good, *first.good}):
            known = values.check(name)
            if known and known.same and values.text(name) != first.text(name):
                owner = values if name in values.good else first
                other = first if owner is values else values
                what = f"differs from that of {other.host.name}, {other.text(name)}: {known.same}"
                remedy = "Set it for the group, not for one host"
                found = owner.text(name)
                yield owner.host.problem(f"{VARIABLE}.{name}", what, remedy, found=found)


def _idle(hosts: list[ConfigValues]) -> Iterator[Problem]:
    """Yield what does nothing on any host that its line is for; a line that says the default is no matter."""
    lines: dict[tuple[Origin | str, str], list[tuple[ConfigValues, str | None]]] = {}
    for values in hosts:
        for name in values.good:
            known = values.check(name)
            if known is not None and known.idle and values.text(name) != values.keys[name].default:
                why = next((idle.because for idle in known.idle if values.holds(idle.when)), None)
                place = values.host.raw.origins.get(f"{VARIABLE}.{name}", values.host.name)
                lines.setdefault((place, name), []).append((values, why))
    for (_, name), uses in lines.items():
        if all(why is not None for _, why in uses):
            for values, why in uses:
                found = values.text(name)
                yield values.host.problem(
                    f"{VARIABLE}.{name}", f"does nothing: {why}", "Remove it", found=found, severity="warning"
                )
