"""Addresses as RocketMQ writes them."""

from __future__ import annotations

import pytest

from rmqops.errors import UsageError
from rmqops.remoting.address import split, split_list


def test_host_and_port() -> None:
    assert split("10.0.0.1:9876") == ("10.0.0.1", 9876)
    assert split(" broker-a:65535 ") == ("broker-a", 65535)
    assert split("::1:80") == ("::1", 80)


@pytest.mark.parametrize("text", ["", "10.0.0.1", ":9876", "a:0", "a:65536", "a:1x", "a:-1", "a:٣", "a:000001"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        split(text)
    assert "HOST:PORT" in str(caught.value.remedy)


def test_a_list() -> None:
    assert split_list("a:1; b:2;") == ("a:1", "b:2")


@pytest.mark.parametrize("text", ["", " ; ", "a:1;b"])
def test_a_list_without_an_address_or_with_a_wrong_one_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        split_list(text)
