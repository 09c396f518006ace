"""Each broker's connections to each NameServer, and when it last registered there: from the brokers' own hosts.

No NameServer of 4.x tells when it heard from whom (``RouteInfoManager`` keeps it to itself). A broker writes each
registration that was answered into its log (``BrokerOuterAPI.registerBrokerAll``), and its kernel knows its
connections: one long one to each NameServer, over which it registers every ``registerNameServerPeriod``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from rmqops.errors import RmqopsError
from rmqops.model.commands import AS_USER, Command
from rmqops.model.topology import Instance, Topology
from rmqops.operations.hosts import plain_files
from rmqops.operations.hosts.answers import understood
from rmqops.system import parallel
from rmqops.transport.base import Transports, check, transport_for

# $1 home, $2 logs, $3 whose they are, $4 what reads the end of a log. The sockets of the process that are
# established, as the kernel writes their other ends; the registrations in the end of its log, and the time.
_SCRIPT = (
    AS_USER
    + r"""
if pid=$("$1/current/bin/pid.sh"); then
  find "/proc/$pid/fd" -lname 'socket:*' -printf '%l\n' 2> /dev/null | tr -dc '0-9\n' |
    awk 'NR == FNR { ours[$1] = 1; next } $4 == "01" && $10 in ours { print "connected", $3 }' \
      - "/proc/$pid/net/tcp" "/proc/$pid/net/tcp6"
fi
as_user "$3" /bin/sh -c "$4" rmqops "$2/broker.log" 2> /dev/null |
  sed -n 's/^\([0-9T:.+Z-]*\) .* - register broker.*to name server \([^ ]*\) OK.*/registered \2 \1/p' |
  tail -n 1000
echo "now $(date +%Y-%m-%dT%H:%M:%S.%N%:z)"
"""
)
_END = f'{plain_files.SHELL}end "$1" 1048576'


@dataclass(frozen=True)
class Heartbeat:
    """One broker and one NameServer."""

    broker: str
    nameserver: str
    connections: int
    """Established ones, of the broker's process to the NameServer's port."""
    ago: float | None
    """Seconds since the broker's last registration that was answered, by the broker's own clock; None when the end
    of its log tells of none."""

    def json(self) -> dict[str, object]:
        """Return the object that ``rmqops status --heartbeats --json`` prints."""
        return asdict(self)


def survey(
    topology: Topology, transports: Transports = transport_for
) -> tuple[tuple[Heartbeat, ...], Mapping[str, str]]:
    """Return what each broker's host tells, and by broker why one tells nothing."""

    def ask(broker: Instance) -> tuple[Heartbeat, ...] | str:
        transport = transports(broker)
        command = Command.shell(_SCRIPT, broker.home, broker.text("rocketmq_log_dir"), broker.service_user, _END)
        try:
            said = check(transport.run(command), transport.host).stdout
            with understood(transport.host, said):
                return tuple(parse(topology, broker, said))
        except RmqopsError as error:
            return str(error)

    names = [broker.name for broker in topology.brokers]
    answers = dict(zip(names, parallel.mapped(ask, topology.brokers), strict=True))
    heartbeats = tuple(
        heartbeat for answer in answers.values() if not isinstance(answer, str) for heartbeat in answer
    )
    return heartbeats, {name: answer for name, answer in answers.items() if isinstance(answer, str)}


def parse(topology: Topology, broker: Instance, output: str) -> Iterator[Heartbeat]:
    """Yield what a broker's host has told, by NameServer."""
    connected: list[tuple[str, int]] = []
    registered: dict[str, datetime] = {}
    now: datetime | None = None
    for word, *rest in (line.split() for line in output.splitlines() if line.strip()):
        if word == "connected":
            connected.append(_peer(rest[0]))
        elif word == "registered":
            registered[rest[0]] = datetime.fromisoformat(rest[1])
        elif word == "now":
            now = datetime.fromisoformat(rest[0])
    for server in topology.nameservers:
        last = registered.get(server.address)
        yield Heartbeat(
            broker.name,
            server.name,
            connections=connected.count((server.ip, server.port)),
            ago=None if last is None or now is None else round((now - last).total_seconds(), 1),
        )


def _peer(text: str) -> tuple[str, int]:
    """Read an address as ``/proc/net/tcp`` writes it: words of four bytes, each from its last byte on."""
    host, _, port = text.partition(":")
    raw = bytes.fromhex(host)
    address = ipaddress.ip_address(b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4)))
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address), int(port, 16)
