"""The files of an instance come from the templates that rmqops carries."""

from __future__ import annotations

from pathlib import Path

from rmqops import assets
from rmqops.operations import inventories
from rmqops.operations.plan import trees

LOCAL = str(Path(__file__).parents[4] / "inventory" / "local")


def test_every_template_is_read_by_its_path() -> None:
    root = assets.path("templates")
    found = {str(path.relative_to(root)) for path in root.rglob("*.j2")}
    assert set(trees.templates()) == found
    assert "broker/conf/broker.p.j2" in found


def test_a_broker_and_a_nameserver_get_their_own_files_and_what_is_common() -> None:
    topology = inventories.load(LOCAL).topology
    broker, server = (
        {file.path: file for file in trees.tree(topology.instance(name))} for name in ("broker-a-0", "namesrv-1")
    )
    assert "conf/broker.p" in broker.keys() - server.keys()
    assert "conf/namesrv.p" in server.keys() - broker.keys()
    assert broker["bin/start.sh"].executable
    assert not broker["conf/broker.p"].executable


def test_the_instructions_name_every_instance() -> None:
    topology = inventories.load(LOCAL).topology
    text = trees.instructions(topology)
    assert all(instance.name in text for instance in topology.instances)
