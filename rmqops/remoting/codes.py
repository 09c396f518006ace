"""The numbers of the protocol: request and answer codes, permissions and flags.

Source: ``RequestCode``, ``ResponseCode``, ``PermName``, ``MessageSysFlag``, ``PullSysFlag`` and ``MixAll`` of the
module ``common``, ``RemotingSysResponseCode`` of ``remoting``, the same in 4.4.0 and 4.5.2.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final

from rmqops.model.releases import CLIENT


class RequestCode(IntEnum):
    """What a request asks for."""

    PULL_MESSAGE = 11
    QUERY_CONSUMER_OFFSET = 14
    UPDATE_CONSUMER_OFFSET = 15
    UPDATE_AND_CREATE_TOPIC = 17
    GET_ALL_TOPIC_CONFIG = 21
    UPDATE_BROKER_CONFIG = 25
    GET_BROKER_CONFIG = 26
    GET_BROKER_RUNTIME_INFO = 28
    SEARCH_OFFSET_BY_TIMESTAMP = 29
    GET_MAX_OFFSET = 30
    GET_MIN_OFFSET = 31
    GET_ROUTE_BY_TOPIC = 105
    GET_BROKER_CLUSTER_INFO = 106
    UPDATE_AND_CREATE_SUBSCRIPTION_GROUP = 200
    GET_ALL_SUBSCRIPTION_GROUPS = 201
    GET_CONSUMER_CONNECTIONS = 203
    WIPE_WRITE_PERM_OF_BROKER = 205
    GET_ALL_TOPICS = 206
    DELETE_SUBSCRIPTION_GROUP = 207
    GET_CONSUME_STATS = 208
    DELETE_TOPIC_IN_BROKER = 215
    DELETE_TOPIC_IN_NAMESRV = 216
    GET_CONSUMER_RUNNING_INFO = 307
    SEND_MESSAGE_V2 = 310
    GET_NAMESRV_CONFIG = 319


class ResponseCode(IntEnum):
    """What an answer says."""

    SUCCESS = 0
    SYSTEM_ERROR = 1
    SYSTEM_BUSY = 2
    REQUEST_CODE_NOT_SUPPORTED = 3
    FLUSH_DISK_TIMEOUT = 10
    SLAVE_NOT_AVAILABLE = 11
    FLUSH_SLAVE_TIMEOUT = 12
    MESSAGE_ILLEGAL = 13
    SERVICE_NOT_AVAILABLE = 14
    NO_PERMISSION = 16
    TOPIC_NOT_EXIST = 17
    PULL_NOT_FOUND = 19
    PULL_RETRY_IMMEDIATELY = 20
    PULL_OFFSET_MOVED = 21
    QUERY_NOT_FOUND = 22
    SUBSCRIPTION_GROUP_NOT_EXIST = 26
    CONSUMER_NOT_ONLINE = 206


class Permission(IntFlag):
    """What may be done with a topic on a broker."""

    INHERIT = 1
    WRITE = 2
    READ = 4


class MessageFlag(IntFlag):
    """Bits of a message's ``sysFlag``."""

    COMPRESSED = 1
    MULTI_TAGS = 2


class PullFlag(IntFlag):
    """Bits of a pull request's ``sysFlag``."""

    COMMIT_OFFSET = 1
    SUSPEND = 2
    SUBSCRIPTION = 4


TOOLS_GROUP: Final = "TOOLS_CONSUMER"
"""A consumer group that every broker knows from the start (``SubscriptionGroupManager.init``)."""

CLIENT_VERSION: Final = CLIENT.version_code
"""What we say we are."""


def request_name(code: int) -> str:
    """Return a request's name for messages, or its number if it has none here."""
    try:
        return RequestCode(code).name
    except ValueError:
        return f"request {code}"
