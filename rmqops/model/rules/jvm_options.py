"""The options in `rocketmq_jvm_options` are options, none twice, and no two that keep a JVM from starting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rmqops.errors import Problem
from rmqops.model import jvm_options
from rmqops.model.cluster import Cluster, InventoryHost
from rmqops.model.jvm_options import JvmOption

_KEY: Final = "rocketmq_jvm_options"
_OWN: Final = {
    "-Xms": "rocketmq_heap",
    "-Xmx": "rocketmq_heap",
    "-XX:InitialHeapSize": "rocketmq_heap",
    "-XX:MaxHeapSize": "rocketmq_heap",
    "-Xmn": "rocketmq_young_generation",
    "-XX:NewSize": "rocketmq_young_generation",
    "-XX:MaxNewSize": "rocketmq_young_generation",
    "-XX:MaxDirectMemorySize": "rocketmq_direct_memory",
    "-Duser.home": "rocketmq_instance_dir",
    "-Drmqops.instance": "rocketmq_instance_dir",
}
_TLS: Final = ("-Dtls.enable=true", "-Dtls.server.mode=enforcing")


def check(cluster: Cluster) -> Iterator[Problem]:
    """Yield options that are none, that undo one another, or that the Java in question does not have."""
    for host in cluster.members:
        options = host.values.get(_KEY)
        good: list[JvmOption] = []
        for text in options if isinstance(options, list) else ():
            option = jvm_options.parse(text) if isinstance(text, str) else None
            if option is None:
                remedy = "Write one option an item, such as -XX:+UseG1GC; `8:` before it is for Java 8 alone"
                yield host.problem(_KEY, "has an item that is not a JVM option", remedy, found=repr(text))
                continue
            problem = _alone(host, option) or _against(host, option, good)
            if problem is not None:
                yield problem
            good.append(option)


def _alone(host: InventoryHost, option: JvmOption) -> Problem | None:
    """Return what is wrong with an option by itself."""
    if option.subject in _OWN:
        variable = _OWN[option.subject]
        return host.problem(_KEY, f"sets what {variable} sets", f"Set {variable} instead", found=option.word)
    if option.malformed is not None:
        return host.problem(_KEY, f"has an item that {option.malformed}", "Correct it", found=option.word)
    if option.word.lower() in {word.lower() for word in _TLS}:
        what = "asks for TLS, and an inventory has no place for certificates yet: rmqops speaks without TLS"
        return host.problem(_KEY, what, "Leave it out", found=option.word)
    places = tuple(f"{host.text(name).rstrip('/')}/" for name in ("rocketmq_log_dir", "rocketmq_data_dir"))
    file = option.log_file
    if file and host.text("rocketmq_supervisor") == "systemd" and not file.startswith(places):
        what = "has a log file outside of the directories that the unit lets it write to"
        return host.problem(_KEY, what, f"Put it into {{{{ rocketmq_log_dir }}}}, {places[0]}", found=option.word)
    known = jvm_options.java_range(host.text("rocketmq_java"), host.text("rocketmq_java_package"))
    oldest, newest = max(known[0], option.oldest), min(known[1], option.newest)
    if option.lifetime and not option.word.startswith("-XX:-") and oldest <= newest:
        first, last = option.lifetime
        if oldest > last or newest < first:
            which = f"Java {oldest}" if oldest == newest else f"Java {oldest} and later"
            what = f"is for {which}, which does not start with it: Java {first} to {last} have it"
            if last == jvm_options.NEWEST:
                what = f"is for {which}, which does not start with it: Java {first} and later have it"
            remedy = f"Write `{last}:` before it, or leave it out" if first == last else "Leave it out"
            return host.problem(_KEY, what, remedy, found=option.word)
    return None


def _against(host: InventoryHost, option: JvmOption, before: list[JvmOption]) -> Problem | None:
    """Return how an option and one before it get into one another's way."""
    for other in before:
        if option.conflicts(other):
            what = f"and {other.word} choose two garbage collectors, and no JVM starts with two"
            return host.problem(_KEY, what, "Keep one of them", found=option.word)
        if option.subject == other.subject and option.meets(other):
            what = "stands twice" if option.word == other.word else f"undoes {other.word} before it"
            return host.problem(_KEY, what, "Keep one of them", found=option.word)
    return None
