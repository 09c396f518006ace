"""The releases rmqops knows: what each can do and the digest its sources must have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Release:
    """One RocketMQ release."""

    version: str
    sha512: str
    """Of ``rocketmq-all-<version>-source-release.zip``, as published by the Apache archive."""
    dledger: bool
    """Whether a broker can be a member of a DLedger group (4.5.0 and later)."""


DEFAULT_VERSION: Final = "4.5.2"

RELEASES: Final = {
    release.version: release
    for release in (
        Release(
            "4.4.0",
            "1da32d9f43a53b005b924a09df1cf0718b588ceb2325f218ea4d4d6553bbb6d5"
            "803e99fae137d67c84b4ed27fe6ed70805480d0b75b39ac94621a04c9d960c46",
            dledger=False,
        ),
        Release(
            "4.5.0",
            "4924d35da68eacf2dcfb456406f576cccabacf9a312e47815b70e3b20acf749b"
            "8a52c0eb95af16a22d334cee305310a3e421da1341b0ef1961a9f29fb1990094",
            dledger=True,
        ),
        Release(
            "4.5.1",
            "262ea892aa26f60fb50c52dacfa3b0df9db2163cdf846f383b46f47d74351953"
            "fe10bad6120ae9f2a8a0c41fe6103121121a0c67f1a04b86e48cdd7fec20d5d5",
            dledger=True,
        ),
        Release(
            "4.5.2",
            "151c8f3f1f5fc5f413b80aa7e29759c710abe80bc2f41f72c8b473e0cdac6ee9"
            "72c5aca2472a68ba249b4f86c4f9d3e70887cd0dae585d716d866de186c4ef48",
            dledger=True,
        ),
    )
}
