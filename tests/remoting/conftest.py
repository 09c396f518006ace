"""Fixtures with real NameServers and brokers.

``RMQOPS_TEST_DISTRIBUTION`` names a built distribution (the directory with ``bin`` and ``lib``).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from rmqops.remoting.client import Client
from tests.remoting.lab import Lab, running_lab


@pytest.fixture(scope="session")
def distribution(request: pytest.FixtureRequest) -> Path:
    named = os.environ.get("RMQOPS_TEST_DISTRIBUTION")
    return Path(named) if named else Path(str(request.getfixturevalue("rocketmq_home")))


@pytest.fixture(scope="module")
def plain(distribution: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One NameServer and one plain broker."""
    with running_lab(distribution, tmp_path_factory.mktemp("plain")) as lab:
        yield lab


@pytest.fixture(scope="module")
def dledger(distribution: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One NameServer and one DLedger group of three."""
    with running_lab(distribution, tmp_path_factory.mktemp("dledger"), members=3) as lab:
        yield lab


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client() as opened:
        yield opened
