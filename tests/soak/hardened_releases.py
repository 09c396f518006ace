"""The requests of ``tests/e2e/test_security.py`` to every release, as published and as built by default.

Builds each release twice: ``pytest tests/soak/hardened_releases.py``, a quarter of an hour.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rmqops.model.patch_choice import PatchChoice
from rmqops.model.releases import RELEASES
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.source.build import BuildOptions, ensure_artifact
from rmqops.source.cache import unpacked
from rmqops.source.patching import chosen
from tests.support import holes
from tests.support.bare_broker import Lab, running_lab

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800), pytest.mark.parametrize("version", list(RELEASES))]

AUTO_CREATE = "autoCreateTopicEnable=true\n"
LATE_UNREGISTER = "late-unregister"
REGISTER_BROKER = 103
UNREGISTER_BROKER = 104
DEEP_TOPIC = "../../escaped"


def built(version: str, *, plain: bool = False, extra: tuple[str, ...] = ()) -> Path:
    """Return the distribution of a release."""
    patches = chosen(version, PatchChoice(extra, plain=plain))
    return unpacked(ensure_artifact(version, options=BuildOptions(patches=patches)))


@pytest.fixture
def published(version: str, tmp_path: Path) -> Iterator[Lab]:
    with running_lab(built(version, plain=True), tmp_path / "lab", extra=AUTO_CREATE) as lab:
        yield lab


@pytest.fixture
def hardened(version: str, tmp_path: Path) -> Iterator[Lab]:
    """A broker whose own file asks for the program, too."""
    distribution = built(version)
    home, _ = holes.program(tmp_path / "home")
    (home / "conf").symlink_to(distribution / "conf")
    extra = f"{AUTO_CREATE}rocketmqHome={home}\nfilterServerNums=1\n"
    with running_lab(distribution, tmp_path / "lab", extra=extra) as lab:
        yield lab


async def test_as_published_every_path_is_open(published: Lab, tmp_path: Path) -> None:
    async with Client() as client:
        home, mark = holes.program(tmp_path / "home")
        answer = await holes.set_broker(client, published, f"rocketmqHome={home}\nfilterServerNums=1\n")
        assert answer.code == 0
        target = tmp_path / "written"
        assert (await holes.set_nameserver(client, published, f"configStorePath={target}\n")).code == 0
        await holes.until(target.exists, "a NameServer wrote a file")
        assert (await holes.send(client, published, DEEP_TOPIC)).code == 0
        await holes.until((holes.home_of(published) / "escaped/0").is_dir, "a topic left the store")
        await holes.until(mark.exists, "a broker ran a program")


async def test_hardened_every_path_is_closed(hardened: Lab, tmp_path: Path) -> None:
    target = tmp_path / "written"
    async with Client() as client:
        for settings in (f"rocketmqHome={tmp_path}\n", "filterServerNums=1\n", "a=b\\nstorePathRootDir=/x\n"):
            assert (await holes.set_broker(client, hardened, settings)).code == holes.NO_PERMISSION
        answer = await holes.set_nameserver(client, hardened, f"configStorePath={target}\n")
        assert answer.code == holes.NO_PERMISSION
        assert (await holes.send(client, hardened, DEEP_TOPIC)).code == 1
        assert (await holes.send(client, hardened, "ordinary")).code == 0
        admin, broker = Admin(client), holes.broker_of(hardened)
        await admin.update_broker_config(broker, {"fileReservedTime": "71"})
        assert (await admin.broker_config(broker))["fileReservedTime"] == "71"
    log = holes.home_of(hardened) / "logs/rocketmqlogs/broker.log"
    await holes.until(lambda: "CallShell: nothing is run" in log.read_text(), "a program was asked for")
    written = (target, tmp_path / "home/the-program-ran", holes.home_of(hardened) / "escaped")
    assert not [path for path in written if path.exists()]


@pytest.fixture(params=[(), (LATE_UNREGISTER,)], ids=["default", LATE_UNREGISTER])
def nameserver(version: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Lab, bool]]:
    """A NameServer without brokers, and whether it compares addresses."""
    with running_lab(built(version, extra=request.param), tmp_path, groups=0) as lab:
        yield lab, LATE_UNREGISTER in request.param


async def test_an_old_master_that_unregisters_late(nameserver: tuple[Lab, bool]) -> None:
    lab, compares = nameserver
    async with Client() as client:

        async def tell(code: int, address: str) -> None:
            names = {"brokerName": "group", "brokerAddr": address, "clusterName": "cluster", "brokerId": "0"}
            await client.call(lab.nameserver, code, {**names, "haServerAddr": address, "compressed": "false"})

        await tell(REGISTER_BROKER, "127.0.0.1:1")
        await tell(REGISTER_BROKER, "127.0.0.1:2")
        await tell(UNREGISTER_BROKER, "127.0.0.1:1")
        groups = (await Admin(client).cluster_info(lab.nameserver)).groups
        assert ("group" in groups) is compares
        assert not compares or groups["group"].master == "127.0.0.1:2"
        await tell(UNREGISTER_BROKER, "127.0.0.1:2")
        assert (await Admin(client).cluster_info(lab.nameserver)).groups == {}
