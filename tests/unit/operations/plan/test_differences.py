"""The diff of a plan: what is on the hosts comes from a fake transport."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from rmqops.model.commands import Command
from rmqops.model.topology import Instance
from rmqops.operations import inventories
from rmqops.operations.hosts.facts import Facts
from rmqops.operations.plan import trees
from rmqops.operations.plan.differences import differences
from rmqops.operations.plan.plan import InstanceChange
from rmqops.transport.fake import FakeTransport

PATH = "conf/broker.p"


@pytest.fixture(scope="module")
def broker() -> Instance:
    return inventories.load(str(Path(__file__).parents[4] / "inventory" / "local")).topology.instance("broker-a-0")


def told(broker: Instance, there: dict[str, str], files: tuple[str, ...] = (PATH,)) -> str:
    def answer(_command: Command) -> tuple[int, str]:
        lines = (f"{base64.b64encode(text.encode()).decode()} {path}\n" for path, text in there.items())
        return 0, "".join(lines)

    change = InstanceChange(broker, "restart", files, (), Facts())
    return differences([change], lambda _instance: FakeTransport(answer))[broker.name]


def wanted(broker: Instance) -> str:
    return next(file.content for file in trees.tree(broker) if file.path == PATH)


def test_what_a_deploy_takes_away_and_brings(broker: Instance) -> None:
    text = wanted(broker)
    diff = told(broker, {PATH: text.replace("brokerName=broker-a", "brokerName=other") + "extra=1\n"})
    changed = [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in {"+++", "---"}]
    assert changed == ["-brokerName=other", "+brokerName=broker-a", "-extra=1"]


def test_a_file_that_is_not_there_and_one_too_many(broker: Instance) -> None:
    assert told(broker, {}).startswith(f"--- /dev/null\n+++ {PATH}\n")
    assert told(broker, {"conf/x": "a=1\n"}, ("conf/x",)) == "--- conf/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-a=1\n"


def test_the_same_content_under_another_mode_is_said(broker: Instance) -> None:
    assert told(broker, {PATH: wanted(broker)}) == f"{PATH}: its mode differs\n"


def test_no_secret_is_shown(broker: Instance) -> None:
    diff = told(broker, {PATH: wanted(broker) + "keyStorePassword=hunter2\n"})
    assert "hunter2" not in diff
    assert "-keyStorePassword=****" in diff
