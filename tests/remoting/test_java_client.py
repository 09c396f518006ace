"""What we send the official Java client reads, and what it sends we read."""

from __future__ import annotations

import base64
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rmqops.remoting.client import Client
from rmqops.remoting.consumer import Consumer
from rmqops.remoting.messages import Message
from rmqops.remoting.outcomes import Acknowledged
from rmqops.remoting.producer import Producer
from tests.remoting.wire import Wire, dispatched

pytestmark = pytest.mark.e2e

MESSAGES = {
    "plain": Message(b"hello"),
    "key and tag": Message(b"x", key="order-1", tag="TagA"),
    "several keys": Message(b"x", key="k1 k2"),
    "unicode": Message(
        "größer ☃ 𝄞 漢字".encode(), key="schlüssel-漢", properties={"größe": "☃ 𝄞", "b": '"{0:1}"'}
    ),
    "many properties": Message(b"x", properties={f"name-{n}": "v" * n for n in range(1, 120)}),
    "every byte": Message(bytes(range(256))),
    "compressible": Message(b"abcdefgh" * 2000, key="c"),
    "4 MB, compressible": Message(b"0123456789" * 400_000),
    "4 MB, incompressible": Message(random.Random(7).randbytes(4_000_000)),
}


@dataclass
class JavaClient:
    process: subprocess.Popen[str]

    def ask(self, **request: object) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> Any:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line[:1] in '[{"':
                return json.loads(line)
        pytest.fail(f"the Java client ended with {self.process.wait()}")


@pytest.fixture(scope="module")
def java(plain: Wire, rocketmq_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JavaClient]:
    home = tmp_path_factory.mktemp("java")
    script = Path(__file__).with_name("java_client.py")
    with (home / "stderr.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(script), str(rocketmq_home), plain.nameserver, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    client = JavaClient(process)
    try:
        assert client.answer() == "ready"
        yield client
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("compress_over", [None, 4096], ids=["as it is", "compressed"])
async def test_the_java_client_reads_what_we_send(
    plain: Wire, java: JavaClient, client: Client, name: str, compress_over: int | None
) -> None:
    sent = MESSAGES[name]
    topic = await plain.topic(client, queues=1)
    async with Producer(client, plain.nameserver, compress_over=compress_over) as producer:
        outcome = await producer.send(topic, sent)
    assert isinstance(outcome, Acknowledged)
    await dispatched(client, *plain.brokers)
    (read,) = java.ask(do="pull", topic=topic, broker="group-0", queue=0, offset=0)
    assert base64.b64decode(read["body"]) == sent.body
    assert (read["key"], read["tag"]) == (sent.key, sent.tag)
    assert read["properties"].items() >= sent.all_properties().items()
    assert (read["offset"], read["id"]) == (outcome.offset, outcome.msg_id)
    assert read["born_host"] == "127.0.0.1"
    assert abs(read["stored"] - read["born"]) < 60_000


async def test_the_java_client_reads_an_empty_body_as_none(plain: Wire, java: JavaClient, client: Client) -> None:
    """A broker stores it; the official producer would not send it (``Validators.checkMessage``)."""
    topic = await plain.topic(client, queues=1)
    async with Producer(client, plain.nameserver) as producer:
        assert isinstance(await producer.send(topic, Message(b"", key="empty")), Acknowledged)
    await dispatched(client, *plain.brokers)
    (read,) = java.ask(do="pull", topic=topic, broker="group-0", queue=0, offset=0)
    assert (read["body"], read["key"]) == (None, "empty")


@pytest.mark.parametrize("name", MESSAGES)
async def test_we_read_what_the_java_client_sends(
    plain: Wire, java: JavaClient, client: Client, name: str
) -> None:
    sent = MESSAGES[name]
    topic = await plain.topic(client, queues=2)
    answer = java.ask(
        do="send",
        topic=topic,
        broker="group-0",
        queue=1,
        body=base64.b64encode(sent.body).decode(),
        key=sent.key,
        tag=sent.tag,
        properties=dict(sent.properties),
    )
    assert (answer["status"], answer["queue"], answer["offset"]) == ("SEND_OK", 1, 0)
    (broker,) = plain.brokers
    (read,) = [message async for message in Consumer(client).drain(broker, topic, 1, 1)]
    assert read.body == sent.body
    assert (read.key, read.tag) == (sent.key, sent.tag)
    assert read.properties.items() >= sent.all_properties().items()
    assert read.properties["UNIQ_KEY"]
    assert read.msg_id == answer["id"]
    assert read.compressed == (len(sent.body) > 4096)
    assert read.store_host == broker
