"""The requests of ``tests/e2e/test_security.py`` to every release, as published and as built by default.

Builds each release twice: ``pytest tests/soak/hardened_releases.py``, a quarter of an hour.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from rmqops.model.releases import RELEASES
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.source.build import BuildOptions, ensure_artifact
from rmqops.source.cache import unpacked
from rmqops.source.patching import chosen
from tests.remoting.lab import running_lab
from tests.support import holes

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800), pytest.mark.parametrize("version", list(RELEASES))]

AUTO_CREATE = "autoCreateTopicEnable=true\n"
DEEP_TOPIC = "../../escaped"


def built(version: str, *, plain: bool) -> Path:
    """Return the distribution of a release."""
    return unpacked(ensure_artifact(version, options=BuildOptions(patches=chosen(version, plain=plain))))


async def test_as_published_every_path_is_open(version: str, tmp_path: Path) -> None:
    with running_lab(built(version, plain=True), tmp_path / "lab", extra=AUTO_CREATE) as lab:
        async with Client() as client:
            home, mark = holes.program(tmp_path / "home")
            answer = await holes.set_broker(client, lab, f"rocketmqHome={home}\nfilterServerNums=1\n")
            assert answer.code == 0
            target = tmp_path / "written"
            assert (await holes.set_nameserver(client, lab, f"configStorePath={target}\n")).code == 0
            await holes.until(target.exists, "a NameServer wrote a file")
            assert (await holes.send(client, lab, DEEP_TOPIC)).code == 0
            await holes.until((holes.home_of(lab) / "escaped/0").is_dir, "a topic left the store")
            await holes.until(mark.exists, "a broker ran a program")


async def test_hardened_every_path_is_closed(version: str, tmp_path: Path) -> None:
    home, mark = holes.program(tmp_path / "home")
    distribution = built(version, plain=False)
    (home / "conf").symlink_to(distribution / "conf")
    extra = f"{AUTO_CREATE}rocketmqHome={home}\nfilterServerNums=1\n"
    with running_lab(distribution, tmp_path / "lab", extra=extra) as lab:
        async with Client() as client:
            for settings in (f"rocketmqHome={home}\n", "filterServerNums=1\n", "a=b\\nstorePathRootDir=/x\n"):
                assert (await holes.set_broker(client, lab, settings)).code == holes.NO_PERMISSION
            target = tmp_path / "written"
            answer = await holes.set_nameserver(client, lab, f"configStorePath={target}\n")
            assert answer.code == holes.NO_PERMISSION
            assert (await holes.send(client, lab, DEEP_TOPIC)).code == 1
            assert (await holes.send(client, lab, "ordinary")).code == 0
            admin, broker = Admin(client), holes.broker_of(lab)
            await admin.update_broker_config(broker, {"fileReservedTime": "71"})
            assert (await admin.broker_config(broker))["fileReservedTime"] == "71"
        log = holes.home_of(lab) / "logs/rocketmqlogs/broker.log"
        await holes.until(lambda: "CallShell: nothing is run" in log.read_text(), "a program was asked for")
        assert not (holes.home_of(lab) / "escaped").exists()
    assert not mark.exists()
    assert not target.exists()
