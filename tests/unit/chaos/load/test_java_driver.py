"""The official client as a driver: what stands in its way is told before anything is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rmqops.chaos.load.clients import java
from rmqops.chaos.load.clients.settings import ProducerSettings, read_client
from rmqops.chaos.load.roster import client_words
from rmqops.chaos.load.settings import JavaClient, Load
from rmqops.chaos.report import words
from rmqops.chaos.run import placement
from rmqops.errors import PreflightFailed, ToolMissing
from tests.support.instances import topology


def test_without_a_jdk_there_is_no_java_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise ToolMissing("there is no JDK", remedy="install one")

    monkeypatch.setattr(java, "find_jdk", missing)
    with pytest.raises(
        PreflightFailed, match=r"no JDK; nothing was touched \(install one; or use --driver native\)"
    ):
        placement.driver(topology(), Load(driver="java"))


def test_without_the_release_there_is_no_java_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMQOPS_CACHE", str(tmp_path))
    monkeypatch.setattr(java, "find_jdk", lambda *_: None)
    with pytest.raises(PreflightFailed, match=r"not built on this machine.*rmqops build --version"):
        placement.driver(topology(), Load(driver="java"))


def test_a_group_has_no_more_members_than_queues() -> None:
    with pytest.raises(PreflightFailed, match="9 consumers of one group share the 8 queues"):
        placement.refuse(topology(groups=2), Load(driver="java", consumers=9))


def test_a_process_is_told_what_a_native_one_is_and_how_its_client_is_to_be(tmp_path: Path) -> None:
    made = java.Java(Path("/jdk/bin/java"), 8, "classes:lib/*", JavaClient(poll=500).model_dump(by_alias=True))
    settings = ProducerSettings("producer-1", "p1", 1.5, "drill", ("h:1", "h:2"), rate=20, size=64)
    argv = made.argv(settings, tmp_path)
    assert (argv[0], argv[-2]) == ("/jdk/bin/java", java.MAIN)
    assert not [word for word in argv if word.startswith("--add-opens")], "Java 8 does not know it"
    told = json.loads(argv[-1])
    assert (told["role"], told["epoch"], told["nameservers"]) == ("producer", 1.5, ["h:1", "h:2"])
    assert told["client"]["pollNameServerInterval"] == 500
    assert 2 in told["refused_codes"]
    assert 1 not in told["refused_codes"]


def test_a_result_says_whose_view_it_is() -> None:
    line = b'{"client":{"driver":"java","version":"4.5.2","pollNameServerInterval":"30000"}}'
    assert client_words(read_client(line)) == "official Java client 4.5.2: pollNameServerInterval 30000"
    assert client_words({}) == words.UNKNOWN
