"""What sort of address a text is."""

from __future__ import annotations

import pytest

from rmqops.model import addresses


@pytest.mark.parametrize(
    ("text", "sort"),
    [
        ("10.0.0.1", "host"),
        ("223.255.255.255", "host"),
        ("127.0.0.1", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("0.0.0.1", "unusable"),
        ("224.0.0.1", "unusable"),
        ("255.255.255.255", "unusable"),
        ("192.0.2.7", "documentation"),
        ("203.0.113.200", "documentation"),
        ("192.0.3.7", "host"),
        ("::1", "ipv6"),
        ("10.0.0.1:9876", "ipv6"),
        ("broker-1.example", "name"),
        ("10.0.0.256", "name"),
        ("10.0.0.01", "name"),
        ("10.0.0", "name"),
        ("10.0.0.٣", "name"),
        ("", "name"),
    ],
)
def test_the_sort_of_an_address(text: str, sort: str) -> None:
    assert addresses.sort(text) == sort
