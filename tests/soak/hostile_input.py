"""What peers, hosts and inventories may say, damaged: it is read, or it is an error of ours, never a traceback.

``CASES=100000 pytest tests/soak/hostile_input.py``; by default some minutes. Of many alike one is told, with its
seed, which makes it again.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from rmqops.cli import app
from rmqops.errors import RmqopsError
from rmqops.remoting import codec, messages
from rmqops.remoting.codec import Decoder, Frame, Serialization
from tests.support import damage
from tests.support.scripted_fleet import ScriptedFleet
from tests.unit.operations.hosts.test_answers import READERS
from tests.unit.remoting.peer import Answer
from tests.unit.remoting.stored import stored

pytestmark = pytest.mark.timeout(7200)

INVENTORIES = Path(__file__).parents[2] / "inventory"
CONTRACT = {0, 1, 2, 3, 4, 5, 6, 7}


def tried(count: int, attempt: Callable[[Random], object]) -> None:
    """Make many attempts, each from its own seed; fail with each kind of error that is not ours."""
    ends: Counter[str] = Counter()
    kinds: dict[str, str] = {}
    for seed in range(count):
        try:
            ends[str(attempt(Random(seed)) or "read")] += 1
        except RmqopsError as error:
            ends[type(error).__name__] += 1
        except Exception as error:
            told = f"{type(error).__name__}: {str(error)[:200]}"
            ends[type(error).__name__] += 1
            kinds.setdefault(told[:60], f"seed {seed}: {told}")
    sys.stdout.write(f"{count}: {dict(ends)}\n")
    assert not kinds, "\n".join(kinds.values())


def command(*words: str) -> str:
    """Run a command line in this process, and return its exit code, which must be one of the contract."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        code = app.run(words)
    assert code in CONTRACT, told.getvalue()
    assert "Traceback" not in told.getvalue()
    return f"exit {code}"


def test_frames() -> None:
    right = [
        codec.encode(Frame(105, 7, fields={"topic": "täst"}, remark="r", body=b"body" * 50), kind)
        for kind in Serialization
    ]

    def attempt(draw: Random) -> None:
        stream = damage.spoilt_bytes(draw.choice(right) * draw.randint(1, 3), draw)
        decoder = Decoder()
        cut = draw.randrange(len(stream) + 1)
        for part in (stream[:cut], stream[cut:]):
            list(decoder.feed(part))

    tried(damage.cases(100_000), attempt)


def test_stored_messages() -> None:
    right = stored() * 3

    def attempt(draw: Random) -> None:
        list(messages.decode_batch(damage.spoilt_bytes(right, draw)))

    tried(damage.cases(100_000), attempt)


@pytest.mark.parametrize("reader", READERS)
def test_hosts(reader: str) -> None:
    read, right = READERS[reader]

    def attempt(draw: Random) -> None:
        if draw.randrange(2):
            read(damage.spoilt_text(right, draw))
        else:
            read(damage.spoilt_bytes(right.encode(), draw).decode("utf-8", "replace"))

    tried(damage.cases(5_000), attempt)


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedFleet]:
    monkeypatch.setenv("RMQOPS_STATE", str(tmp_path / "state"))
    with ScriptedFleet(tmp_path) as made:
        made.deploy()
        yield made


def spoilt_answer(answer: Answer, draw: Random) -> Answer:
    """Return what a peer answers with something wrong in it; now and then as it is."""
    if not isinstance(answer, Frame) or draw.randrange(4) == 0:
        return answer
    texts = ["", "x", "-1", "1e9", "99999999999999999999", "[/x]", "\x1b[2J", "\ud800", "\0", "x" * 70_000]
    kind = draw.randrange(7)
    if kind == 0:
        return replace(answer, body=damage.spoilt_bytes(answer.body or b"{}", draw))
    if kind == 1:
        return replace(
            answer,
            body=damage.spoilt_text(answer.body.decode("utf-8", "replace"), draw).encode("utf-8", "replace"),
        )
    if kind == 2:
        return replace(answer, fields=dict.fromkeys(answer.fields or ["offset"], draw.choice(texts[:6])))
    if kind == 3:
        return replace(answer, code=draw.choice([0, 1, 17, 22, -1, 32767]), remark=draw.choice(texts[:7]))
    if kind == 4:
        return replace(answer, opaque=draw.randrange(100))
    if kind == 5:
        return damage.spoilt_bytes(codec.encode(answer), draw)
    return replace(answer, body=draw.choice([b"", b"null", b"[]", b"{}", b"0", b'"x"', damage.DEEP.encode()]))


def test_peers(fleet: ScriptedFleet) -> None:
    words = [
        ("status", "--json"),
        ("status",),
        ("topic", "list"),
        ("topic", "describe", "TBW102"),
        ("group", "list"),
        ("group", "describe", "any"),
    ]
    seed = [0]
    for each in fleet.instances.values():
        assert each.peer is not None
        right = each.peer.answer

        def answer(request: Frame, right: Callable[[Frame], object] = right) -> Answer:
            return spoilt_answer(right(request), Random(f"{seed[0]} {request.code}"))  # type: ignore[arg-type]

        each.peer.answer = answer

    def attempt(draw: Random) -> str:
        seed[0] = draw.randrange(1 << 32)
        return command(*draw.choice(words), "-i", fleet.topology.inventory)

    tried(damage.cases(500), attempt)


def test_inventories(tmp_path: Path) -> None:
    marks = [
        "!!python/object:os.system x",
        "&a [*a]",
        "*a",
        "!vault x",
        "{{ 1 / 0 }}",
        "{{ x }}",
        "? x",
        "<<: x",
        "\t",
        "%",
        "@x",
    ]

    def attempt(draw: Random) -> str:
        place = tmp_path / "inventory"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(INVENTORIES / draw.choice(["local", "prod", "quickstart"]), place)
        file = draw.choice(sorted(path for path in place.rglob("*") if path.is_file()))
        text = damage.spoilt_text(file.read_text(), draw)
        if draw.randrange(2):
            lines = text.split("\n")
            at = draw.randrange(len(lines))
            lines[at] = f"{lines[at].partition(':')[0]}: {draw.choice(marks)}"
            text = "\n".join(lines)
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
        end = command("validate", "-i", str(place))
        assert end in ("exit 0", "exit 3"), end
        out = tmp_path / "out"
        shutil.rmtree(out, ignore_errors=True)
        if end == "exit 0":
            assert command("render", "-i", str(place), "--out", str(out)) == "exit 0"
        return end

    tried(damage.cases(300), attempt)
