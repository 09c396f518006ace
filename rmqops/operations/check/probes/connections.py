"""Whoever must talk to whom gets through, tried by connecting.

On every port where nothing listens yet, a listener of ours stands for a few seconds and greets with a word that
is its machine's own: so a connection that ends on another machine is seen, too. Then every machine connects to
all that it will need, and this one to all of them; then the listeners are ended, or end by themselves later. The
side that connected closes, by a reset, so that no port of ours is left in TIME_WAIT.

Who needs what (4.5.2): brokers register at every NameServer; members of a group reach one another at the DLedger
port, or slaves their master at its replication address and port; a slave fetches topics and offsets from its
master at the fast remoting port (``BrokerOuterAPI.getAllTopicConfig`` by ``MixAll.brokerVIPChannel``); rmqops
asks every NameServer and broker at its port.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rmqops.model.commands import Command
from rmqops.model.topology import Instance
from rmqops.operations.check.probes import Finding, Survey, failed, ok, unknown
from rmqops.operations.check.probes.python import interpreters
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer
from rmqops.operations.plan.plan import ports

SUMMARY = (
    "Every connection that the cluster needs is made once, both ways, to whatever listens or to a "
    "listener that stands for it."
)
NAME: Final = "connections"
LISTEN_SECONDS = 60
"""How long a listener stands when nobody ends it: longer than a round in which a machine hangs."""
CONNECT_SECONDS = 3

# `socket` and `selectors` bring a dozen modules and half of the time of a start; `_socket` is what they rest on.
_PYTHON: Final = """
code=$1 word=$2 python=
shift 2
while [ "$1" != -- ]; do
  [ -n "$python" ] || ! command -v "$1" > /dev/null || python=$1
  shift
done
shift
exec "$python" -I -S -c "$code" "$word" "$@"
"""
_LISTEN: Final = """
import _socket, os, select, sys, time
end = time.monotonic() + float(sys.argv[2])
standing = {}
for port in map(int, sys.argv[3:]):
    server = _socket.socket()
    server.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    try:
        server.bind(("", port))
        server.listen(128)
    except OSError:
        continue
    server.setblocking(False)
    standing[server.fileno()] = server
    print("listening", port)
if not standing: sys.exit()
pid = os.fork()
if pid:
    print("pid", pid)
    sys.exit()
os.setsid()
null = os.open(os.devnull, os.O_RDWR)
for number in (0, 1, 2): os.dup2(null, number)
peers = []
while time.monotonic() < end:
    for ready in select.select([*standing, *peers], [], [], max(0, end - time.monotonic()))[0]:
        if ready not in standing:
            peers.remove(ready)
            os.close(ready)
            continue
        try:
            peer = standing[ready]._accept()[0]
            peers.append(peer)
            os.write(peer, sys.argv[1].encode())
        except OSError:
            continue
"""
_DIAL: Final = """
import _socket, errno, os, select, sys, time
end = time.monotonic() + float(sys.argv[2])
poll, connecting, greeting = select.poll(), {}, {}
def report(number, peer, text, outcome):
    print(text, outcome)
    poll.unregister(number)
    peer.close()
for text in sys.argv[3:]:
    host, port, greets = text.split(":")
    peer = _socket.socket()
    peer.setblocking(False)
    try:
        code = peer.connect_ex((host, int(port)))
    except OSError as error:
        code = error.errno or errno.EINVAL
    if code not in (0, errno.EINPROGRESS):
        print(text, "error", os.strerror(code))
        continue
    connecting[peer.fileno()] = peer, text, greets == "1"
    poll.register(peer, select.POLLOUT)
while (connecting or greeting) and time.monotonic() < end:
    for number, _ in poll.poll(max(0, end - time.monotonic()) * 1000):
        if number in connecting:
            peer, text, greets = connecting.pop(number)
            code = peer.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
            if code:
                report(number, peer, text, "error " + os.strerror(code))
            elif greets:
                greeting[number] = peer, text
                poll.modify(number, select.POLLIN)
            else:
                report(number, peer, text, "connected")
        else:
            peer, text = greeting.pop(number)
            try:
                word = peer.recv(200).decode("ascii", "replace")
                reset = (1).to_bytes(4, sys.byteorder) + bytes(4)
                peer.setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, reset)
            except OSError as error:
                word = os.strerror(error.errno)
            report(number, peer, text, "word " + word)
for _, text, _ in connecting.values(): print(text, "error no answer within %s s" % sys.argv[2])
for _, text in greeting.values(): print(text, "silent")
"""
# The port is free when this ends: a process that was signalled listens until it is dead. `joined` bounds the loop.
_HUSH: Final = """
while grep -qaF -e "$2" "/proc/$1/cmdline" 2> /dev/null; do
  kill -s KILL "$1" 2> /dev/null
  sleep 0.02
done
"""


@dataclass(frozen=True)
class _Need:
    """One connection that has to be possible."""

    address: str
    port: int
    target: Instance
    why: str

    @property
    def place(self) -> str:
        """``address:port``."""
        return f"{self.address}:{self.port}"


def listen(machine: Machine, survey: Survey) -> Iterator[Command]:
    """Let a listener stand at every port of ours where nothing listens."""
    if machine in survey.machines:
        numbers = sorted({port for item in machine.instances for _, port in ports(item)})
        yield _python(machine, survey, _LISTEN, _word(machine, survey), str(LISTEN_SECONDS), *map(str, numbers))


def dial(machine: Machine, survey: Survey) -> Iterator[Command]:
    """Connect to all that instances of this machine will need, once to each."""
    targets = {
        f"{need.place}:{int(need.port in _standing(owner, survey))}"
        for need, owner in needs(machine, survey)
        if _expected(need, owner, survey)
    }
    if targets:
        yield _python(machine, survey, _DIAL, survey.token, str(CONNECT_SECONDS), *sorted(targets))


def hush(machine: Machine, survey: Survey) -> Iterator[Command]:
    """End the listener of this machine."""
    pid = _listener(machine, survey).values.get("pid", "")
    if pid:
        yield Command.shell(_HUSH, pid, _word(machine, survey), become=_privileged(machine))


def ask(_machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Ask nothing in the first two rounds: the ports are looked at before our listeners stand on them."""
    yield from ()


ROUNDS = (ask, ask, listen, dial, hush)


def judge(machine: Machine, answers: tuple[Answer, ...], survey: Survey) -> Iterator[Finding]:
    """Say which connections were not made, one row for each; those that were are one row together."""
    wanted = [(need, owner) for need, owner in needs(machine, survey) if _expected(need, owner, survey)]
    dialled = next(
        (answer for answer in answers if " " in answer.output and ":" in answer.output.split(" ")[0]), None
    )
    if not wanted:
        return
    if dialled is None:
        yield unknown(
            "not tried", f"{len(wanted)} connections", "See the other rows of this machine, and try again"
        )
        return
    answer_by_place = {text.rpartition(":")[0]: rest for text, rest in dialled.values.items()}
    good = 0
    for need, owner in wanted:
        finding = _finding(need, owner, answer_by_place.get(need.place, "error not tried"), machine, survey)
        if finding is None:
            good += 1
        else:
            yield finding
    if good:
        yield ok(f"{good} made", f"{len(wanted)} connections")


def needs(machine: Machine, survey: Survey) -> Iterator[tuple[_Need, Machine]]:
    """Yield every connection that a machine must be able to make, with the machine at its other end, each once."""
    places = set()
    controller = machine not in survey.machines
    for owner in survey.machines:
        for target in owner.instances:
            for need in _needs(machine, owner, target, controller=controller):
                if need.place not in places:
                    places.add(need.place)
                    yield need, owner


def reaching(instance: Instance, survey: Survey) -> list[str]:
    """Return the machines that got through to the port of an instance that runs, by their names."""
    place = f"{instance.address}:0"
    return [
        name
        for name, answers in survey.answers.get(NAME, {}).items()
        if any(answer.values.get(place) == "connected" for answer in answers)
    ]


def _needs(machine: Machine, owner: Machine, target: Instance, *, controller: bool) -> Iterator[_Need]:
    if controller:
        if not owner.local:
            yield _Need(target.ip, target.port, target, "rmqops asks there")
        return
    if target.kind == "namesrv":
        if machine.brokers:
            yield _Need(target.ip, target.port, target, "brokers register there")
        return
    peers = [item for item in machine.brokers if item.group == target.group and item.name != target.name]
    if not peers:
        return
    yield _Need(target.ip, target.port - 2, target, "slaves fetch topics and offsets there")
    if target.variables["rocketmq_mode"] == "dledger":
        port = target.number("rocketmq_dledger_port")
        yield _Need(target.ip, port, target, "members of the group replicate and vote there")
    elif target.variables["rocketmq_mode"] == "master-slave":
        address = target.text("rocketmq_replication_address")
        yield _Need(address, target.port + 1, target, "slaves replicate from there")


def _expected(need: _Need, owner: Machine, survey: Survey) -> bool:
    """Tell whether anything listens there, so that a refusal means something."""
    facts = survey.facts.get(need.target.name)
    return need.port in _standing(owner, survey) or (facts is not None and need.port in facts.listening)


def _finding(need: _Need, owner: Machine, outcome: str, machine: Machine, survey: Survey) -> Finding | None:
    kind, _, text = outcome.partition(" ")
    if kind == "connected" or (kind == "word" and text == _word(owner, survey)):
        return None
    wanted, subject = need.why, f"to {need.target.name}"
    if kind == "error":
        remedy = f"Let TCP port {need.port} through from {machine.name} to {owner.name} ({need.address})"
        if any(answer.lines and need.address not in answer.lines for answer in survey.of("address", owner)):
            remedy = f"Correct the address of {need.target.name} first, see the row of address"
        return failed(f"{need.place}: {text}", wanted, remedy, subject=subject)
    other = next((item for item in survey.machines if text == _word(item, survey)), None)
    where = f"is {other.name}, another machine" if other else "is not that machine: something else answers"
    remedy = f"Correct rocketmq_address of {need.target.name}, or what forwards {need.place}"
    return failed(f"{need.place} {where}", wanted, remedy, subject=subject)


def _python(machine: Machine, survey: Survey, code: str, word: str, *arguments: str) -> Command:
    candidates = interpreters(machine, survey)
    return Command.shell(
        _PYTHON,
        code,
        word,
        *candidates,
        "--",
        *arguments,
        become=_privileged(machine),
    )


def _privileged(machine: Machine) -> bool:
    """Tell whether a listener needs root; without sudo a round is quicker."""
    return any(port < 1024 for item in machine.instances for _, port in ports(item))


def _word(machine: Machine, survey: Survey) -> str:
    return f"{survey.token}-{survey.machines.index(machine)}"


def _listener(machine: Machine, survey: Survey) -> Answer:
    answers = survey.of(NAME, machine)
    return answers[0] if answers else Answer(-1, "")


def _standing(machine: Machine, survey: Survey) -> set[int]:
    lines = _listener(machine, survey).lines
    return {int(line.removeprefix("listening ")) for line in lines if line.startswith("listening ")}
