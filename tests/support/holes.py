"""Requests of the kinds that known exploits make, to a NameServer and a broker of this machine; harmless ones."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rmqops.remoting.client import Client
from rmqops.remoting.codec import Frame
from tests.support.bare_broker import Lab, running_lab
from tests.support.waiting import until_async

UPDATE_BROKER_CONFIG = 25
HEART_BEAT = 34
UPDATE_AND_CREATE_ACL_CONFIG = 50
SEND_MESSAGE_V2 = 310
UPDATE_NAMESRV_CONFIG = 318
SEND_BATCH_MESSAGE = 320
NO_PERMISSION = 16

ADMINISTRATOR = ("administrator", "secret-of-the-administrator")
ACCOUNT = ("account", "secret-of-the-account")
OWN_TOPIC = "topic-of-the-account"
ACCOUNTS = f"""globalWhiteRemoteAddresses: []
accounts:
- accessKey: {ADMINISTRATOR[0]}
  secretKey: {ADMINISTRATOR[1]}
  admin: true
- accessKey: {ACCOUNT[0]}
  secretKey: {ACCOUNT[1]}
  admin: false
  defaultTopicPerm: DENY
  defaultGroupPerm: SUB
  topicPerms:
  - {OWN_TOPIC}=PUB
"""


def broker_of(lab: Lab) -> str:
    """Return the address of the only broker."""
    (address,) = lab.brokers
    return address


def home_of(lab: Lab) -> Path:
    """Return the directory of the only broker."""
    return lab.brokers[broker_of(lab)].config.parent


def program(directory: Path) -> tuple[Path, Path]:
    """Write what a broker takes for its filter server.

    Returns:
        The home to give the broker, and the file that is there once the program has run.
    """
    mark = directory / "the-program-ran"
    script = directory / "bin" / "startfsrv.sh"
    script.parent.mkdir(parents=True)
    script.write_text(f"touch {mark}\n")
    return directory, mark


async def set_broker(client: Client, lab: Lab, settings: str) -> Frame:
    """Ask a broker to change settings, as lines of a properties file."""
    return await client.request(broker_of(lab), UPDATE_BROKER_CONFIG, {}, settings.encode())


async def set_nameserver(client: Client, lab: Lab, settings: str) -> Frame:
    """Ask a NameServer to change settings, likewise."""
    return await client.request(lab.nameserver, UPDATE_NAMESRV_CONFIG, {}, settings.encode())


def send_fields(topic: str, *, batch: bool = False) -> dict[str, str]:
    """Return the header of a send (``SendMessageRequestHeaderV2``)."""
    return {
        "a": "producers",
        "b": topic,
        "c": "TBW102",
        "d": "4",
        "e": "0",
        "f": "0",
        "g": "0",
        "h": "0",
        "i": "",
        "j": "0",
        "k": "false",
        "l": "0",
        "m": str(batch).lower(),
    }


async def send(client: Client, lab: Lab, topic: str) -> Frame:
    """Send one message to a topic, which a broker may make for it."""
    return await client.request(broker_of(lab), SEND_MESSAGE_V2, send_fields(topic), b"body")


async def consume(client: Client, lab: Lab, group: str) -> Frame:
    """Say that a consumer of a group is here, whereupon a broker makes the topic of its retries."""
    consumer = {
        "groupName": group,
        "consumeType": "CONSUME_PASSIVELY",
        "messageModel": "CLUSTERING",
        "consumeFromWhere": "CONSUME_FROM_LAST_OFFSET",
        "subscriptionDataSet": [],
        "unitMode": False,
    }
    body = json.dumps({"clientID": "client", "consumerDataSet": [consumer], "producerDataSet": []})
    return await client.request(broker_of(lab), HEART_BEAT, {}, body.encode())


def batch_of(body: bytes) -> bytes:
    """Return a batch of one message (``MessageDecoder.encodeMessage``)."""
    rest = struct.pack(">iiii", 0, zlib.crc32(body) & 0x7FFFFFFF, 0, len(body)) + body + struct.pack(">h", 0)
    return struct.pack(">i", len(rest) + 4) + rest


async def signed(
    client: Client, lab: Lab, account: tuple[str, str], code: int, fields: Mapping[str, str], body: bytes = b""
) -> Frame:
    """Make a request of an account (``AclUtils.combineRequestContent``)."""
    named = {**fields, "AccessKey": account[0]}
    content = "".join(value for _, value in sorted(named.items())).encode() + body
    signature = base64.b64encode(hmac.digest(account[1].encode(), content, hashlib.sha1)).decode()
    return await client.request(broker_of(lab), code, {**named, "Signature": signature}, body)


@contextmanager
def lab_with_accounts(distribution: Path, directory: Path) -> Iterator[Lab]:
    """Start a lab whose broker asks who somebody is; its accounts lie in a home of its own."""
    home = directory / "home"
    (home / "conf").mkdir(parents=True)
    (home / "lib").symlink_to(distribution / "lib")
    for path in (distribution / "conf").glob("*.xml"):
        (home / "conf" / path.name).symlink_to(path)
    (home / "conf" / "plain_acl.yml").write_text(ACCOUNTS)
    with running_lab(home, directory / "lab", extra="aclEnable=true\n") as lab:
        yield lab


async def until(condition: Callable[[], bool], what: str, seconds: float = 90) -> None:
    """Wait until something is so."""

    async def holds() -> bool:
        return condition()

    await until_async(holds, what, seconds)
