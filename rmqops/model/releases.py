"""What each release of RocketMQ can do, as data. Nothing else in the tree decides by a version.

A release is added by an entry here and its keys in ``config_keys.json`` (``scripts/draw_config_keys.py``), where
every default is as well. The tests over :data:`RELEASES` (``tests/unit/model/test_releases.py``,
``tests/e2e/test_build.py``) then hold the entry to what is rendered, validated and built of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:  # the load's client travels to hosts with what it needs, and that is not a topology
    from rmqops.model.topology import Mode

_NETTY_AND_FASTJSON: Final = (
    "java.base",
    "java.desktop",
    "java.instrument",
    "java.logging",
    "java.management",
    "java.naming",
    "java.sql",
    "java.xml",
    "jdk.crypto.ec",
    "jdk.management",
    "jdk.sctp",
    "jdk.unsupported",
)
"""Netty asks for ``jdk.sctp`` and ``jdk.unsupported`` (``sun.misc.Unsafe``), fastjson for ``java.desktop`` and
``java.sql``, Java's own TLS for the curves of ``jdk.crypto.ec``."""


@dataclass(frozen=True)
class Bug:
    """What a release does that it should not, and what rmqops does about it."""

    issue: str
    """Where it was reported, such as ``apache/rocketmq#1464``; empty when it was found here."""
    effect: str
    """What happens."""
    source: str
    """The class that does it, or the measurement that shows it."""
    modes: tuple[Mode, ...]
    """The groups that it concerns."""
    ends_in: str | None
    """The first release without it; None when none is known."""
    settings: frozenset[str] = field(default=frozenset())
    """The keys of ``broker.p`` that rmqops writes for every member against it; empty when none helps."""


REJOIN_WINDOW: Final = Bug(
    "apache/rocketmq#1464",
    "a member that starts registers as broker 0 before it knows its role, and takes the master out of the route",
    "BrokerController.start; mended by commit 21511da384",
    ("dledger",),
    "4.6.0",
    frozenset({"brokerRole", "brokerId"}),
)
SENDS_HOLD_THEIR_THREAD: Final = Bug(
    "apache/rocketmq#1846",
    "a send holds its thread until a majority has it, and by default there is one thread",
    "DLedgerCommitLog.putMessage, BrokerConfig.sendMessageThreadPoolNums",
    ("dledger",),
    "4.8.0",
    frozenset({"sendMessageThreadPoolNums"}),
)
LAGGING_MEMBER_ELECTED: Final = Bug(
    "apache/rocketmq#2178",
    "a member that lacks messages can be elected, and cuts the logs of its peers",
    "DLedgerMmapFileStore: ledgerEndTerm is the current term (DLedger 0.1); mended by openmessaging/dledger#53",
    ("dledger",),
    "4.8.0",
)
WIPED_MEMBER_STAYS_EMPTY: Final = Bug(
    "openmessaging/dledger#61",
    "a member that has lost its log is not refilled before the next message",
    "DLedgerEntryPusher.EntryDispatcher.doCommit",
    ("dledger",),
    None,
)
CLOCK_STEP_ELECTS: Final = Bug(
    "",
    "a member whose clock steps forward by more than three heartbeats takes its leader for dead",
    "DLedgerLeaderElector: System.currentTimeMillis",
    ("dledger",),
    None,
)
DELAYED_MESSAGES_AGAIN: Final = Bug(
    "apache/rocketmq#1934",
    "delayed messages come a second time after a failover",
    "ScheduleMessageService: delayOffset.json is not read again; mended by commit 952772fa1b",
    ("dledger",),
    "4.9.0",
)
QUEUE_ORDER: Final = Bug(
    "apache/rocketmq#1397",
    "the order within a queue is reported to break",
    "reported of 4.5.1, and closed without a commit",
    ("dledger",),
    None,
)
LOGS_NOT_COMPARED: Final = Bug(
    "",
    "a slave does not notice that its log is not its master's, and appends behind it",
    "HAService.HAClient, HAConnection",
    ("master-slave",),
    None,
)
QUEUE_SHOWS_OLD_ENTRIES: Final = Bug(
    "",
    "a queue that was cut back shows its old entries after the next start",
    "ConsumeQueue.truncateDirtyLogicFiles, recover",
    ("master-slave",),
    None,
)

_DLEDGER_0_1: Final = (
    REJOIN_WINDOW,
    SENDS_HOLD_THEIR_THREAD,
    LAGGING_MEMBER_ELECTED,
    WIPED_MEMBER_STAYS_EMPTY,
    CLOCK_STEP_ELECTS,
    DELAYED_MESSAGES_AGAIN,
)


@dataclass(frozen=True)
class Release:
    """One RocketMQ release."""

    version: str
    sha512: str
    """Of ``rocketmq-all-<version>-source-release.zip``, as published by the Apache archive."""
    version_code: int
    """What its programs and clients say they are: the ordinal in ``MQVersion.Version`` (module ``common``)."""
    distribution: str
    """Where Maven assembles it, below ``distribution/target``; ``{version}`` stands for the version.

    It is ``finalName`` of ``distribution/pom.xml``, twice where ``release.xml`` includes a base directory."""
    mapped: Literal["maped", "mapped"]
    """How the keys of its files' sizes begin: 4.5.2 corrected the spelling (setters of ``MessageStoreConfig``)."""
    dledger: str | None
    """The version of its DLedger; None when a broker cannot be a member of a DLedger group."""
    bugs: tuple[Bug, ...]
    """What is known of it, and concerns an operator; ``docs/known-issues.md`` tells of each."""
    oldest_java: int = 8
    """The major version of the oldest Java that builds and runs it, and that its classes are compiled for.

    A newer one does as well: what it closed, the templates open (``jvm.options``)."""
    runtime_modules: tuple[str, ...] = _NETTY_AND_FASTJSON
    """The modules of Java that its NameServer, broker and tools load."""

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The modes that its broker groups can have; the one to prefer first."""
        return ("dledger", "master-slave", "single") if self.dledger else ("master-slave", "single")

    @property
    def commit_log_size_key(self) -> str:
        """The key of the size of one file of the commit log, in bytes."""
        return f"{self.mapped}FileSizeCommitLog"

    @property
    def queue_size_key(self) -> str:
        """The key of the size of one file of a consume queue, in bytes."""
        return f"{self.mapped}FileSizeConsumeQueue"


DEFAULT_VERSION: Final = "4.5.2"

RELEASES: Final[Mapping[str, Release]] = {
    release.version: release
    for release in (
        Release(
            version="4.4.0",
            sha512="1da32d9f43a53b005b924a09df1cf0718b588ceb2325f218ea4d4d6553bbb6d5"
            "803e99fae137d67c84b4ed27fe6ed70805480d0b75b39ac94621a04c9d960c46",
            version_code=293,
            distribution="apache-rocketmq",
            mapped="maped",
            dledger=None,
            bugs=(LOGS_NOT_COMPARED, QUEUE_SHOWS_OLD_ENTRIES),
        ),
        Release(
            version="4.5.0",
            sha512="4924d35da68eacf2dcfb456406f576cccabacf9a312e47815b70e3b20acf749b"
            "8a52c0eb95af16a22d334cee305310a3e421da1341b0ef1961a9f29fb1990094",
            version_code=313,
            distribution="apache-rocketmq",
            mapped="maped",
            dledger="0.1",
            bugs=_DLEDGER_0_1,
        ),
        Release(
            version="4.5.1",
            sha512="262ea892aa26f60fb50c52dacfa3b0df9db2163cdf846f383b46f47d74351953"
            "fe10bad6120ae9f2a8a0c41fe6103121121a0c67f1a04b86e48cdd7fec20d5d5",
            version_code=315,
            distribution="rocketmq-{version}/rocketmq-{version}",
            mapped="maped",
            dledger="0.1",
            bugs=(*_DLEDGER_0_1, QUEUE_ORDER),
        ),
        Release(
            version="4.5.2",
            sha512="151c8f3f1f5fc5f413b80aa7e29759c710abe80bc2f41f72c8b473e0cdac6ee9"
            "72c5aca2472a68ba249b4f86c4f9d3e70887cd0dae585d716d866de186c4ef48",
            version_code=317,
            distribution="rocketmq-{version}/rocketmq-{version}",
            mapped="mapped",
            dledger="0.1",
            bugs=_DLEDGER_0_1,
        ),
    )
}
"""Every release that rmqops knows, the oldest first."""

CLIENT: Final = RELEASES["4.5.2"]
"""The release whose client our own one says it is, whichever release answers. Older brokers take it as well; one
from 4.9.4 on would be sent other JSON (``GetRouteInfoRequestHeader``, ``ClientRequestProcessor``)."""

OLDEST_JAVA: Final = min(release.oldest_java for release in RELEASES.values())
"""The oldest Java that is of any use here."""


def assumed(version: str) -> Release:
    """Return a release; in the place of one that is not known the newest that is, as the likeliest guess."""
    return RELEASES.get(version) or tuple(RELEASES.values())[-1]
