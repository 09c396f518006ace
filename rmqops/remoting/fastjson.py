"""Read what fastjson writes: JSON, but with bare integers, and even objects, for the keys of maps.

``{"brokerAddrs":{0:"10.0.0.1:10911"}}`` is what a NameServer answers (``BrokerData.brokerAddrs`` is a
``HashMap<Long, String>``) and no JSON parser takes it; nor ``{{"queueId":0,"topic":"t"}:7}``, from a
``HashMap<MessageQueue, …>`` (``ConsumeStats``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from rmqops.errors import ProtocolError

_STRING = r'"(?:[^"\\]|\\.)*+"'
# A string is matched first and given back as it is, so that what looks like a key inside of one is left alone. An
# object before a colon is a key; it is flat.
_BARE_KEY = re.compile(rf'{_STRING}|(?<=[{{,])\s*+(-?\d++|\{{(?:{_STRING}|[^"{{}}])*+\}})(?=\s*+:)', re.DOTALL)


def loads(body: bytes) -> object:
    """Return the value of a fastjson text; keys that are integers or objects become strings of their text.

    Raises:
        ProtocolError: it is not JSON even so.
    """
    try:
        return json.loads(_BARE_KEY.sub(_quoted, body.decode()), strict=False)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a body that is not JSON: {body[:80]!r}") from error


def _quoted(match: re.Match[str]) -> str:
    key: str | None = match[1]
    return match[0] if key is None else json.dumps(key)


def mapping(value: object, what: str) -> Mapping[str, object]:
    """Return ``value`` if it is an object.

    Raises:
        ProtocolError: it is not; ``what`` says what it should have been.
    """
    if isinstance(value, dict):
        return value
    raise _wrong(value, what, "an object")


def sequence(value: object, what: str) -> Sequence[object]:
    """Return ``value`` if it is an array.

    Raises:
        ProtocolError: it is not.
    """
    if isinstance(value, list):
        return value
    raise _wrong(value, what, "an array")


def text(value: object, what: str) -> str:
    """Return ``value`` if it is a string.

    Raises:
        ProtocolError: it is not.
    """
    if isinstance(value, str):
        return value
    raise _wrong(value, what, "a string")


def integer(value: object, what: str) -> int:
    """Return ``value`` if it is a whole number, or a string of one.

    Raises:
        ProtocolError: it is not.
    """
    if type(value) is int:
        return value
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,20}", value, re.ASCII):
        return int(value)
    raise _wrong(value, what, "a whole number")


def _wrong(value: object, what: str, expected: str) -> ProtocolError:
    return ProtocolError(f"{what} is not {expected}: {str(value)[:80]!r}")
