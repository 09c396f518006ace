"""What every unit test has: inventories read without a process, where plain YAML is all that they are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rmqops.operations.ansible_inventory import answers
from tests.support import plain_inventory


@pytest.fixture(scope="module", autouse=True)  # of a session, it would hold for tests that stand elsewhere, too
def _plain_inventories() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers, "read", plain_inventory.read)
        yield
