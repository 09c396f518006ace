"""What values of RocketMQ's configuration must be: the table is whole, and judges as RocketMQ's own code does."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from rmqops.model import config_checks
from rmqops.model.config_keys import CLASSES
from rmqops.model.topology import Kind
from rmqops.operations import inventories

REFERENCE = inventories.reference()
CHECKS = REFERENCE.config_checks
DATA = Path(config_checks.__file__).with_suffix(".json")
SOURCE = re.compile(r"[A-Z][A-Za-z]+#[A-Za-z]\w+")
NAMES = {name for programs in REFERENCE.config_keys.values() for keys in programs.values() for name in keys}


def whole(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Make a mapping, and refuse a key that stands twice."""
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


@pytest.mark.parametrize("version", REFERENCE.config_keys)
def test_every_key_of_every_release_is_there_once(version: str) -> None:
    keys = json.loads(Path(config_checks.__file__).with_name("config_keys.json").read_text("utf-8"))[version]
    entries = json.loads(DATA.read_text("utf-8"), object_pairs_hook=whole)["keys"]
    counted = Counter(
        (entry["class"], name)
        for entry in entries
        if version in entry.get("releases", [version])
        for name in entry["keys"]
    )
    known = {(owner, name) for owner, names in keys.items() for name in names}
    assert {place: counted[place] for place in known} == dict.fromkeys(known, 1)


def test_no_entry_is_of_a_key_that_no_release_has() -> None:
    assert {name for names in CHECKS.keys.values() for name in names} <= NAMES
    assert {name for one in CHECKS.together for name in one.keys} <= NAMES


def test_every_entry_says_what_happens_and_where() -> None:
    checks = [check for names in CHECKS.keys.values() for entries in names.values() for _, check in entries]
    places = [(check.source, check.effect) for check in checks]
    for source, effect in [*places, *((one.source, one.effect) for one in CHECKS.together)]:
        assert SOURCE.fullmatch(source), source
        assert effect
    for check in checks:
        assert check.kind in {"none", "own", "only", "range", "hours", "delays", "address", "topic", "inside"}
        assert bool(check.remedy) == (check.kind in {"own", "only"}), check
        assert (check.least is not None) == (check.kind == "range"), check


def test_conditions_are_of_keys_and_variables() -> None:
    conditions = [one.when for one in CHECKS.together]
    conditions += [
        idle.when
        for names in CHECKS.keys.values()
        for entries in names.values()
        for _, check in entries
        for idle in check.idle
    ]
    names = {name for condition in conditions for name in condition}
    assert names <= NAMES | set(REFERENCE.schema.settings)


@pytest.mark.parametrize("version", REFERENCE.config_keys)
@pytest.mark.parametrize("kind", CLASSES)
def test_rocketmqs_own_defaults_are_good(version: str, kind: Kind) -> None:
    for name, key in REFERENCE.config_keys[version][kind].items():
        check = CHECKS.of(version, kind, name)
        assert check is not None, name
        if key.default is not None and check.kind != "own":
            assert key.fault(key.default) is None, name
            assert check.fault(key.default) is None, name


HOURS: dict[Any, bool] = {
    **dict.fromkeys(["04", "4", "0", "00", "23", "04;16", "00;06;12;18"], True),
    **dict.fromkeys(["", ";", "24", "99", "-1", "04:00", "04,16", "04 16", "4am", "04;", ";04", "04; 16"], False),
}
DELAYS: dict[Any, bool] = {
    **dict.fromkeys(["1s", "0s", "1s 5s 10m 2h 3d", "05s", "100000000d"], True),
    **dict.fromkeys(["", "1", "s", "1S", "1s  5s", "1s,5s", "1.5s", "-1s", "1w", "1s 5", "9" * 17 + "d"], False),
}
ADDRESSES: dict[Any, bool] = {
    **dict.fromkeys(["10.0.0.1:10912", "mq-1.example:1", "a:65535"], True),
    **dict.fromkeys(["", "10.0.0.1", "10.0.0.1:", ":10912", "a:0", "a:65536", "a:b", "a:1:2", "a b:1"], False),
}
PLUG_INS: dict[Any, bool] = {"": True, "org.example.Store": False, "a,b": False}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("deleteWhen", {**HOURS, 4: True, 24: False, 400: False}),
        ("messageDelayLevel", DELAYS),
        ("haMasterAddress", ADDRESSES),
        ("messageStorePlugIn", PLUG_INS),
        (
            "msgTraceTopicName",
            {"trace": True, "%a|b_-": True, "": False, "a b": False, "a" * 127: True, "a" * 128: False},
        ),
        ("aclEnable", {False: True, "FALSE": True, True: False, "true": False}),
        ("useTLS", {False: True, True: False}),
        ("duplicationEnable", {False: True, True: False}),
        ("filterServerNums", {0: True, "0": True, 1: False}),
        ("brokerPermission", {1: False, 2: True, 4: True, 6: True, 7: True, 8: False}),
        ("diskMaxUsedSpaceRatio", {9: False, 10: True, 95: True, 96: False, "75": True}),
        ("accessMessageInMemoryMaxRatio", {-1: False, 0: True, 100: True, 101: False}),
        (
            "mappedFileSizeConsumeQueue",
            {0: False, 19: False, 20: True, 21: False, 6000000: True, 2147483640: True, 2147483647: False},
        ),
        ("haTransferBatchSize", {0: False, 1: True, 4194292: True, 4194293: False}),
        ("maxErrorRateOfBloomFilter", {0: False, 1: True, 99: True, 100: False}),
        ("registerNameServerPeriod", {9999: False, 10000: True, 60000: True, 60001: False}),
        ("serverChannelMaxIdleTimeSeconds", {-1: False, 0: True, 1: False, 30: False, 31: True, 120: True}),
        ("sendMessageThreadPoolNums", {0: False, 1: True, -1: False, "16": True}),
        ("fileReservedTime", {0: False, 1: True, 2147483646: True, 2147483647: False}),
        ("maxMessageSize", {0: False, 1: True, 1073741823: True, 1073741824: False}),
    ],
)
def test_values_at_the_edges(name: str, values: Mapping[Any, bool]) -> None:
    check = CHECKS.of("4.5.2", "broker", name)
    assert check is not None
    assert {value: check.fault(value) is None for value in values} == values


def test_a_size_that_is_rounded_is_told_as_what_it_becomes() -> None:
    check = CHECKS.of("4.5.2", "broker", "mappedFileSizeConsumeQueue")
    assert check is not None
    assert check.fault(6000001) == "Write 6000020: that is what RocketMQ makes of it"


@pytest.mark.parametrize(
    ("path", "good"),
    [("/d/kv.json", True), ("/d/a/b", True), ("/dd/kv", False), ("kv", False), ("/d/../e", False)],
)
def test_a_path_lies_in_its_directory(path: str, good: bool) -> None:
    check = CHECKS.of("4.5.2", "namesrv", "kvConfigPath")
    assert check is not None
    assert (check.fault(path, "/d") is None) is good


def test_an_entry_for_some_releases_is_theirs_alone() -> None:
    text = json.dumps(
        {
            "keys": [
                {
                    "class": "BrokerConfig",
                    "keys": ["a"],
                    "releases": [release],
                    "check": {"kind": "range", "min": least},
                    "effect": "e",
                    "source": "A#b",
                }
                for release, least in {"1": 1, "2": 2}.items()
            ],
            "together": [],
        }
    )
    checks = config_checks.parse(text)
    found = {release: checks.of(release, "broker", "a") for release in ("1", "2", "3")}
    assert {release: check and check.least for release, check in found.items()} == {"1": 1, "2": 2, "3": None}
