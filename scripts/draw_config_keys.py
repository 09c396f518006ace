#!/usr/bin/env python3
"""Draw the keys of RocketMQ's configuration from the sources of its releases.

RocketMQ ignores an unknown key and swallows a value that does not convert (``MixAll.properties2Object``), so
rmqops has to know the keys itself. That method calls every public setter of a config object: the key is the
setter's name without ``set``, its first letter lower-cased, and it takes int, long, double, boolean, float and
String alone. A setter of an enum has an overload that takes a String; its choices are the enum's constants.

Usage: draw_config_keys.py SOURCE… [--out FILE], each SOURCE a source zip of a release or its unpacked directory.
The output depends on the sources alone.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent / "rmqops" / "model" / "config_keys.json"
CLASSES = {
    "BrokerConfig": "common/src/main/java/org/apache/rocketmq/common/BrokerConfig.java",
    "MessageStoreConfig": "store/src/main/java/org/apache/rocketmq/store/config/MessageStoreConfig.java",
    "NamesrvConfig": "common/src/main/java/org/apache/rocketmq/common/namesrv/NamesrvConfig.java",
    "NettyClientConfig": "remoting/src/main/java/org/apache/rocketmq/remoting/netty/NettyClientConfig.java",
    "NettyServerConfig": "remoting/src/main/java/org/apache/rocketmq/remoting/netty/NettyServerConfig.java",
}
STARTUP = "broker/src/main/java/org/apache/rocketmq/broker/BrokerStartup.java"
TYPES = {
    "int": "int",
    "Integer": "int",
    "long": "long",
    "Long": "long",
    "double": "double",
    "Double": "double",
    "float": "float",
    "Float": "float",
    "boolean": "boolean",
    "Boolean": "boolean",
    "String": "String",
}
COMMENT = re.compile(r'("(?:[^"\\\n]|\\.)*")|/\*.*?\*/|//[^\n]*', re.DOTALL)
SETTER = re.compile(r"public\s+void\s+set(\w+)\s*\(\s*(?:final\s+)?(\w+)\s+\w+\s*\)")
FIELD = re.compile(r"private\s+(?:volatile\s+)?(\w+)\s+(\w+)\s*(?:=\s*([^;]*?)\s*)?;")
ASSIGNMENT = re.compile(r"\bset(\w+)\s*\([^)]*\)\s*\{\s*(?:this\.)?(\w+)\s*=")
DIRECT = re.compile(r'\bproperties\.getProperty\(\s*"(\w+)"')
ENUM = re.compile(r"enum\s+\w+\s*\{\s*([A-Z_,\s]+?)\s*[;}]")
JAVA_DEFAULTS = {"int": "0", "long": "0", "double": "0.0", "float": "0.0", "boolean": "false"}

Read = Callable[[str], str]
Key = dict[str, str | list[str]]


def main() -> None:
    """Write the keys of every release named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    arguments.out.write_text(draw(arguments.source), "utf-8")


def draw(sources: list[Path]) -> str:
    """Return the text of the data file."""
    releases = dict(sorted(release(source) for source in sources))
    lines = []
    for version, classes in releases.items():
        drawn = ",\n".join(f"  {json.dumps(name)}: {_keys(keys)}" for name, keys in sorted(classes.items()))
        lines.append(f" {json.dumps(version)}: {{\n{drawn}\n }}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _keys(keys: Mapping[str, Key]) -> str:
    rows = ",\n".join(f"   {json.dumps(name)}: {json.dumps(key)}" for name, key in sorted(keys.items()))
    return f"{{\n{rows}\n  }}"


def release(source: Path) -> tuple[str, dict[str, dict[str, Key]]]:
    """Return the version of a source tree, and the keys of each of its config classes."""
    if source.is_dir():
        return _release(lambda path: (source / path).read_text("utf-8"))
    with zipfile.ZipFile(source) as archive:
        top = archive.namelist()[0].split("/")[0]
        return _release(lambda path: archive.read(f"{top}/{path}").decode("utf-8"))


def _release(read: Read) -> tuple[str, dict[str, dict[str, Key]]]:
    version = re.search(r"<artifactId>rocketmq-all</artifactId>\s*<version>([^<]+)</version>", read("pom.xml"))
    if version is None:
        raise SystemExit("pom.xml names no version of rocketmq-all: is this a RocketMQ source tree?")
    classes = {name: dict(_class(path, read)) for name, path in CLASSES.items()}
    # Keys that the broker reads from its file by itself, beside those of the config objects.
    classes["BrokerStartup"] = {key: {"type": "String"} for key in DIRECT.findall(_code(read(STARTUP)))}
    return version[1], classes


def _class(path: str, read: Read) -> Iterator[tuple[str, Key]]:
    code = _code(read(path))
    fields = {name: (kind, value) for kind, name, value in FIELD.findall(code)}
    assigned = dict(ASSIGNMENT.findall(code))
    overloads: dict[str, list[str]] = {}
    for name, kind in SETTER.findall(code):
        overloads.setdefault(name, []).append(kind)
    for name, kinds in overloads.items():
        types = [TYPES[kind] for kind in kinds if kind in TYPES]
        if not types:
            continue
        key: Key = {"type": types[0]}
        for enum in (kind for kind in kinds if kind not in TYPES):
            key["choices"] = _constants(str(Path(path).parent / f"{enum}.java"), read)
        kind, value = fields.get(assigned.get(name, ""), ("", ""))
        default = literal(kind, value)
        if default is not None:
            key["default"] = default
        yield name[0].lower() + name[1:], key


def _constants(path: str, read: Read) -> list[str]:
    match = ENUM.search(_code(read(path)))
    if match is None:
        raise SystemExit(f"{path} is not an enum that this script understands")
    return [name.strip() for name in match[1].split(",") if name.strip()]


def literal(kind: str, value: str) -> str | None:
    """Return a field's initial value as text where it is literal, arithmetic of literals included, else None."""
    if not value:
        return JAVA_DEFAULTS.get(kind)
    if re.fullmatch(r'"[^"\\]*"', value):
        return value[1:-1]
    if value in {"true", "false"}:
        return value
    if re.fullmatch(r"\w+\.[A-Z_]+", value) and kind == value.split(".", maxsplit=1)[0]:
        return value.split(".")[1]
    if re.fullmatch(r"[\d\s*+/()-]+", digits := re.sub(r"(?<=\d)[lL]\b", "", value)):
        return str(_number(ast.parse(digits, mode="eval").body))
    return None


def _number(node: ast.expr) -> int:
    """Evaluate Java's integer arithmetic; all operands of these classes are positive."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand)
    if isinstance(node, ast.BinOp):
        left, right = _number(node.left), _number(node.right)
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Div):
            return left // right
    raise SystemExit(f"not arithmetic that this script understands: {ast.dump(node)}")


def _code(text: str) -> str:
    """Return Java source without its comments."""
    return COMMENT.sub(lambda found: found[1] or " ", text)


if __name__ == "__main__":
    main()
