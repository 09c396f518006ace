"""Find and read the YAML of a drill: strictly, so that a slip of the pen is never a default."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from rmqops.chaos import faults
from rmqops.chaos.drill import shipped_files
from rmqops.chaos.drill.model import HINT, Drill, validated
from rmqops.errors import UsageError
from rmqops.model.topology import Value

_SUFFIXES = (".yml", ".yaml")
_LARGEST = 1 << 20
"""Bytes of a drill's file; more is something else."""


def names() -> tuple[str, ...]:
    """Return the name of every drill that rmqops ships."""
    return shipped_files.names("drill/drills")


def text(name: str) -> tuple[str, str]:
    """Return the YAML of a drill and where it lies; a name is one that ships, a path is somebody's own.

    Raises:
        UsageError: there is none.
    """
    if name in names():
        return shipped_files.text("drill/drills", name), f"{name}.yml"
    path = Path(name)
    if path.suffix not in _SUFFIXES:
        raise UsageError(
            f"there is no drill {name!r}", remedy=f"use one of {', '.join(names())}, or the path of a .yml file"
        )
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise UsageError(f"{path} is larger than {_LARGEST} bytes, so it is no drill", remedy=HINT)
        return content.decode("utf-8"), str(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", remedy="name a file that exists") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8: {error.reason}", remedy=HINT) from error


@cache
def find(name: str) -> Drill:
    """Return the drill of a name, or of a file.

    Raises:
        UsageError: there is none, or it is none.
    """
    return parse(*text(name))


def parse(content: str, source: str) -> Drill:
    """Read a drill.

    Args:
        content: The YAML.
        source: The file's name, for messages.

    Raises:
        UsageError: it is not a drill; names the file and every key that is wrong.
    """
    return validated(document(content, source), source)


def document(content: str, source: str) -> dict[str, Value]:
    """Read a YAML mapping of plain values, in which no key stands twice.

    Args:
        content: The YAML.
        source: The file's name, for messages.

    Raises:
        UsageError: it is something else; names the file and every line that is wrong.
    """
    from rmqops.model import yamltext

    mapped, problems = yamltext.read(source, content)
    texts = [
        f"{problem.file}{f': {problem.key}' if problem.key else ''} {problem.message}" for problem in problems
    ]
    texts += [f"{origin}: {key} has a tag that is not YAML's own" for key, origin in mapped.opaque().items()]
    if texts:
        raise UsageError(texts[0], detail="\n".join(texts[1:]) or None, remedy=HINT)
    return mapped.plain()


def schema() -> dict[str, Any]:
    """Return the JSON schema of a drill's file, with the options of each fault; editors complete from it."""
    document = Drill.model_json_schema(by_alias=True)
    strike = document["$defs"]["Strike"]
    strike["properties"]["fault"]["enum"] = list(faults.kinds())
    strike["allOf"] = [
        {
            "if": {"properties": {"fault": {"const": kind}}, "required": ["fault"]},
            "then": {
                "properties": {
                    "with": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {
                            name: option.schema() for name, option in faults.find(kind).OPTIONS.items()
                        },
                    }
                }
            },
        }
        for kind in faults.kinds()
    ]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}
