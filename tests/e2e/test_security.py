"""What known exploits do to 4.5.2 as it was published, and what they do to what rmqops builds.

All of it on loopback, and harmless: programs touch a file of the test's, files and topics are the test's own.
``tests/soak/hardened_releases.py`` does the same for the other releases.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.source.build import BuildOptions, ensure_artifact
from rmqops.source.cache import unpacked
from rmqops.source.patching import PatchSet, chosen
from tests.support import holes
from tests.support.bare_broker import Lab, running_lab
from tests.support.waiting import until_async

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

VERSION = "4.5.2"
AUTO_CREATE = "autoCreateTopicEnable=true\n"


@pytest.fixture(scope="module")
def published_home() -> Path:
    return unpacked(ensure_artifact(VERSION, options=BuildOptions(patches=PatchSet(VERSION))))


@pytest.fixture(scope="module")
def published(published_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(published_home, tmp_path_factory.mktemp("published"), extra=AUTO_CREATE) as lab:
        yield lab


@pytest.fixture(scope="module")
def hardened(rocketmq_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(rocketmq_home, tmp_path_factory.mktemp("hardened"), extra=AUTO_CREATE) as lab:
        yield lab


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client() as opened:
        yield opened


@pytest.fixture
def ordered_to_run(rocketmq_home: Path, tmp_path: Path) -> Iterator[tuple[Lab, Path]]:
    """A hardened broker whose own file asks for a filter server, and what would be there had one run."""
    home, mark = holes.program(tmp_path / "home")
    (home / "conf").symlink_to(rocketmq_home / "conf")
    extra = f"rocketmqHome={home}\nfilterServerNums=1\n"
    with running_lab(rocketmq_home, tmp_path / "lab", extra=extra) as lab:
        yield lab, mark


@pytest.fixture
def published_with_accounts(published_home: Path, tmp_path: Path) -> Iterator[Lab]:
    with holes.lab_with_accounts(published_home, tmp_path) as lab:
        yield lab


@pytest.fixture
def hardened_with_accounts(rocketmq_home: Path, tmp_path: Path) -> Iterator[Lab]:
    with holes.lab_with_accounts(rocketmq_home, tmp_path) as lab:
        yield lab


async def test_as_published_a_request_runs_a_program(published: Lab, client: Client, tmp_path: Path) -> None:
    home, mark = holes.program(tmp_path)
    answer = await holes.set_broker(client, published, f"rocketmqHome={home}\nfilterServerNums=1\n")
    assert answer.code == 0
    await holes.until(mark.exists, "the program ran")


async def test_hardened_the_request_is_refused(hardened: Lab, client: Client, tmp_path: Path) -> None:
    home, _ = holes.program(tmp_path)
    for settings in (f"rocketmqHome={home}\n", "filterServerNums=1\n", "namesrvAddr=x\n", "aclEnable=true\n"):
        answer = await holes.set_broker(client, hardened, f"fileReservedTime=99\n{settings}")
        assert answer.code == holes.NO_PERMISSION
        assert settings.split("=")[0] in (answer.remark or "")
    config = await Admin(client).broker_config(holes.broker_of(hardened))
    assert config["fileReservedTime"] != "99"


async def test_hardened_no_program_is_run_even_when_the_file_says_so(ordered_to_run: tuple[Lab, Path]) -> None:
    lab, mark = ordered_to_run
    log = holes.home_of(lab) / "logs/rocketmqlogs/broker.log"
    await holes.until(lambda: "CallShell: nothing is run" in log.read_text(), "it was asked for")
    assert not mark.exists()


async def test_as_published_a_request_writes_a_file(published: Lab, client: Client, tmp_path: Path) -> None:
    target = tmp_path / "written"
    answer = await holes.set_nameserver(client, published, f"configStorePath={target}\nproductEnvName=a line\n")
    assert answer.code == 0
    await holes.until(lambda: "productEnvName=a line\n" in target.read_text(), "the file was written")


async def test_hardened_no_file_is_written(hardened: Lab, client: Client, tmp_path: Path) -> None:
    for key in ("configStorePath", "kvConfigPath", "rocketmqHome"):
        answer = await holes.set_nameserver(client, hardened, f"{key}={tmp_path}/written\nproductEnvName=x\n")
        assert answer.code == holes.NO_PERMISSION
    config = await Admin(client).nameserver_config(hardened.nameserver)
    assert config["productEnvName"] == "center"
    assert names(tmp_path) == set()


LINE_BREAK = "productEnvName=x\\nkvConfigPath=/nowhere\n"


async def test_as_published_a_line_break_is_a_setting_more(published: Lab, client: Client, tmp_path: Path) -> None:
    target = tmp_path / "settings"
    settings = f"configStorePath={target}\n{LINE_BREAK}"
    assert (await holes.set_nameserver(client, published, settings)).code == 0
    await holes.until(lambda: "\nkvConfigPath=/nowhere\n" in target.read_text(), "a setting more in the file")


async def test_hardened_a_line_break_is_refused(hardened: Lab, client: Client) -> None:
    assert (await holes.set_nameserver(client, hardened, LINE_BREAK)).code == holes.NO_PERMISSION
    broken = "messageDelayLevel=1s\\nstorePathRootDir=/nowhere\n"
    assert (await holes.set_broker(client, hardened, broken)).code == holes.NO_PERMISSION
    assert "/nowhere" not in lab_files(hardened)


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def lab_files(lab: Lab) -> str:
    return "".join(jvm.config.read_text() for jvm in (lab.namesrv, *lab.brokers.values()))


async def test_harmless_settings_can_be_changed(hardened: Lab, client: Client) -> None:
    admin, broker = Admin(client), holes.broker_of(hardened)
    settings = {"fileReservedTime": "71", "startAcceptSendRequestTimeStamp": "1", "brokerPermission": "6"}
    await admin.update_broker_config(broker, settings)
    config = await admin.broker_config(broker)
    assert {key: config[key] for key in settings} == settings
    assert (await holes.set_nameserver(client, hardened, "orderMessageEnable=true\n")).code == 0
    assert (await admin.nameserver_config(hardened.nameserver))["orderMessageEnable"] == "true"


async def test_as_published_a_topic_leaves_the_store(published: Lab, client: Client) -> None:
    escaped = holes.home_of(published) / "escaped"
    assert (await holes.send(client, published, "../../escaped")).code == 0
    await holes.until((escaped / "0").is_dir, "a directory outside of the store")


async def test_hardened_no_topic_leaves_the_store(hardened: Lab, client: Client) -> None:
    admin, broker = Admin(client), holes.broker_of(hardened)
    for topic in ("../../escaped", "..", "a/b", "a\\b", "a\nb", "SCHEDULE_TOPIC_XXXX"):
        assert (await holes.send(client, hardened, topic)).code == 1
    made = {"topic": "../made", "defaultTopic": "TBW102", "readQueueNums": "1", "writeQueueNums": "1"}
    fields = {**made, "perm": "6", "topicFilterType": "SINGLE_TAG", "topicSysFlag": "0", "order": "false"}
    assert (await client.request(broker, 17, fields)).code == holes.NO_PERMISSION
    await holes.consume(client, hardened, "/../../../group")
    assert (await holes.send(client, hardened, "a.topic-made_by_itself")).code == 0
    topics = await admin.topic_configs(broker)
    assert "a.topic-made_by_itself" in topics
    assert not [topic for topic in topics if "/" in topic or "\\" in topic]
    own = {"store", "logs", "config.properties", "config.properties.bak", "stdout.log"}
    assert names(holes.home_of(hardened)) <= own


async def make_administrator(client: Client, lab: Lab, account: tuple[str, str]) -> str:
    fields = {"accessKey": "somebody-new", "secretKey": "secret-of-somebody", "admin": "true"}
    answer = await holes.signed(client, lab, account, holes.UPDATE_AND_CREATE_ACL_CONFIG, fields)
    return "done" if answer.code == 0 else str(answer.remark)


async def send_batch(client: Client, lab: Lab, topic: str) -> str:
    fields = holes.send_fields(topic, batch=True)
    body = holes.batch_of(b"body")
    return str(
        (await holes.signed(client, lab, holes.ACCOUNT, holes.SEND_BATCH_MESSAGE, fields, body)).remark or ""
    )


async def test_as_published_an_account_makes_an_administrator(
    published_with_accounts: Lab, client: Client
) -> None:
    lab = published_with_accounts
    assert "No default permission" not in await send_batch(client, lab, "topic-of-another")
    assert await make_administrator(client, lab, holes.ACCOUNT) == "done"


async def test_hardened_only_an_administrator_makes_one(hardened_with_accounts: Lab, client: Client) -> None:
    lab = hardened_with_accounts
    assert "No default permission" in await send_batch(client, lab, "topic-of-another")
    assert "No default permission" not in await send_batch(client, lab, holes.OWN_TOPIC)
    assert "Need admin permission" in await make_administrator(client, lab, holes.ACCOUNT)
    assert await make_administrator(client, lab, holes.ADMINISTRATOR) == "done"
    newcomer = ("somebody-new", "secret-of-somebody")

    async def taken() -> bool:
        return await make_administrator(client, lab, newcomer) == "done"

    await until_async(taken, "the new account may do what the old one may", 30)


def newer_than_java_8(jar: Path) -> list[str]:
    """Return the classes of a jar that Java 8 would load and cannot read."""
    with zipfile.ZipFile(jar) as opened:
        return [
            name
            for name in opened.namelist()
            if name.endswith(".class")
            and not name.startswith("META-INF/versions/")
            and name != "module-info.class"
            and int.from_bytes(opened.read(name)[6:8]) > 52
        ]


def test_the_raised_libraries_run_on_java_8(rocketmq_home: Path) -> None:
    assert {
        jar.name: newer_than_java_8(jar) for jar in rocketmq_home.rglob("*.jar") if newer_than_java_8(jar)
    } == {}


def test_the_bill_names_every_jar_and_patch() -> None:
    artifact = ensure_artifact(VERSION)
    bill = json.loads(artifact.bill.read_text())
    home = unpacked(artifact)
    told = {jar["bom-ref"]: jar["hashes"][0]["content"] for jar in bill["components"]}
    jars = {path.relative_to(home).as_posix(): path for path in home.rglob("*.jar")}
    assert told == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in jars.items()}
    assert all(jar["purl"].startswith("pkg:maven/") for jar in bill["components"])
    pedigree = bill["metadata"]["component"]["pedigree"]
    assert {issue["name"] for patch in pedigree["patches"] for issue in patch["resolves"]} == set(
        chosen(VERSION).names
    )
