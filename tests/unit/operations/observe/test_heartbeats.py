"""What a broker's host tells of its connections to NameServers, and of its registrations there."""

from __future__ import annotations

from rmqops.operations.observe import heartbeats
from rmqops.operations.observe.heartbeats import Heartbeat
from tests.support.instances import topology

TOLD = """\
connected 0100007F:0001
connected 0000000000000000FFFF00000100007F:0002
connected 0000000000000000FFFF00000100007F:0002
connected 0000000000000000FFFF00000200007F:0003
connected 00000000000000000000000001000000:0003
registered 127.0.0.1:1 2026-11-28T17:00:00.000Z
registered 127.0.0.1:2 2026-11-28T17:00:01.500Z
registered 127.0.0.1:1 2026-11-28T18:00:10.250+01:00
now 2026-11-28T17:00:31.750123456+00:00
"""


def test_each_nameserver_has_its_connections_and_the_last_registration() -> None:
    cluster = topology()
    assert list(heartbeats.parse(cluster, cluster.brokers[0], TOLD)) == [
        Heartbeat("broker-a-0", "namesrv-1", 1, 21.5),
        Heartbeat("broker-a-0", "namesrv-2", 2, 30.3),
        Heartbeat("broker-a-0", "namesrv-3", 0, None),
    ]
