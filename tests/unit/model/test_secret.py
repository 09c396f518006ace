"""A secret does not show."""

from __future__ import annotations

import json
import pickle

import pytest

from rmqops.model.secret import Secret
from rmqops.transport.wrapping import Become


def test_it_prints_as_stars() -> None:
    secret = Secret("s3cret")
    shown = f"{secret} {secret!r} {[secret]} {Become('root', secret)}" + "%s" % secret + str(secret)  # noqa: UP031
    assert "s3cret" not in shown
    assert "****" in shown
    assert secret.reveal() == "s3cret"


def test_it_is_not_written_to_files() -> None:
    with pytest.raises(TypeError, match="not written"):
        pickle.dumps(Secret("s3cret"))
    with pytest.raises(TypeError):
        json.dumps(Secret("s3cret"))


def test_it_is_compared_by_its_text() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1
