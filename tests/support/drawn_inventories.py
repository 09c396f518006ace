"""Inventories as people lay them out, drawn at random, and changes to them: files, links, groups, values."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

GROUPS = ("all", "brokers", "broker-a", "b_2", "namesrv", "ungrouped")
HOSTS = ("a", "b-1", "10.0.0.1", "h.example.org", "namesrv")
VARIABLES = ("x", "y_2", "rocketmq_heap", "rocketmq_config", "ansible_ssh_host", "ansible_group_priority")
SUFFIXES = ("", ".yml", ".yaml", ".json")

_TEXTS = st.sampled_from(
    [
        "",
        " ",
        "yes",
        "0644",
        "1:30",
        "007",
        "1e3",
        "null",
        "é\u2028",
        "a: b",
        "{{ x }}",
        "{% if y_2 %}{% endif %}",
        "#c",
    ]
)
_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([10**20, 1.5, 1e300, float("inf")]), _TEXTS
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("pqr"), inner, max_size=2)
    ),
    max_leaves=4,
)


@st.composite
def _variables(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(VARIABLES), max_size=3, unique=True))
    return {name: draw(st.integers(1, 3) if name == "ansible_group_priority" else _VALUES) for name in names}


@st.composite
def _yaml_hosts(draw: st.DrawFn) -> str:
    """Draw a list of hosts; a group is the child of groups before it alone, so that there is no loop."""
    document: dict[str, Any] = {}
    names = draw(st.lists(st.sampled_from(GROUPS[1:-1]), max_size=3, unique=True))
    for number, name in enumerate(names):
        body: dict[str, Any] = {}
        if draw(st.booleans()):
            body["vars"] = draw(_variables())
        chosen = draw(st.lists(st.sampled_from(HOSTS), max_size=3, unique=True))
        body["hosts"] = {host: draw(st.one_of(st.none(), _variables())) for host in chosen}
        below = [child for child in names[number + 1 :] if draw(st.booleans())]
        if below:
            body["children"] = dict.fromkeys(below)
        document[name] = body
    everybody = draw(st.lists(st.sampled_from(HOSTS), max_size=2, unique=True))
    document["all"] = {"hosts": {host: draw(_variables()) for host in everybody}, "vars": draw(_variables())}
    return draw(st.sampled_from(["", "---\n", "# c\n---\n"])) + yaml.safe_dump(document, sort_keys=False)


_INI_WORDS = st.sampled_from(["1", "True", '"a b"', "[1,2]", "007", "1.5"])
_INI_VALUES = st.sampled_from(["1", "yes", "a # b", "{{ x }}"])


@st.composite
def _ini_hosts(draw: st.DrawFn) -> str:
    lines = []
    for name in draw(st.lists(st.sampled_from(GROUPS[1:-1]), max_size=2, unique=True)):
        lines.append(f"[{name}]")
        for host in draw(st.lists(st.sampled_from(HOSTS), max_size=2, unique=True)):
            lines.append(f"{host} x={draw(_INI_WORDS)}")
        lines += [f"[{name}:vars]", f"y_2={draw(_INI_VALUES)}"]
    return "\n".join(lines) + "\n"


_EMPTY = st.sampled_from(["", "---\n", "# nothing yet\n", "---\n# nothing yet\n", "# c\n---\n...\n"])


@st.composite
def _variable_file(draw: st.DrawFn, suffix: str = ".yml") -> str:
    if suffix == ".json":
        return json.dumps({key: value for key, value in draw(_variables()).items() if value != float("inf")})
    if draw(st.integers(0, 4)) == 0:
        return draw(_EMPTY)
    text = yaml.safe_dump(draw(_variables()), sort_keys=False)
    if draw(st.integers(0, 5)) == 0:
        text = text.replace("{}\n", "") + 'kept: !unsafe "{{ x }}"\nsince: 2020-01-02\nmode: 0o17\nshort: 1:30\n'
    return text


@dataclass(frozen=True)
class DrawnInventory:
    """Files and links by their path, and what is given as ``-i``."""

    sources: tuple[str, ...]
    files: Mapping[str, str]
    links: Mapping[str, str]
    """Where each link leads, relative to the directory of all."""

    def write(self, directory: Path) -> None:
        """Put it into a directory, in the place of what is there."""
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        for name, text in self.files.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text, encoding="utf-8")
        for name, target in self.links.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).symlink_to(os.path.relpath(directory / target, (directory / name).parent))


@st.composite
def _beside(draw: st.DrawFn, base: str, files: dict[str, str], links: dict[str, str]) -> None:
    """Draw variables beside an inventory: a file, a directory or a link for each owner."""
    owners = [("group_vars", name) for name in GROUPS] + [("host_vars", name) for name in HOSTS]
    for kind, owner in draw(st.lists(st.sampled_from(owners), max_size=4, unique=True)):
        place = f"{base}{kind}/{owner}"
        layout = draw(
            st.sampled_from(["file", "file", "directory", "link to directory", "link to file", "link inside"])
        )
        if layout == "file":
            for suffix in draw(st.lists(st.sampled_from(SUFFIXES), min_size=1, max_size=2, unique=True)):
                files[place + suffix] = draw(_variable_file(suffix))
        elif layout == "directory":
            for name in draw(
                st.lists(st.sampled_from(["a.yml", "b", "c/d.yml", ".e.yml", "f.yml~", "g.txt"]), max_size=3)
            ):
                files[f"{place}/{name}"] = draw(_variable_file())
        else:
            files["shared/one.yml"] = files.get("shared/one.yml", draw(_variable_file()))
            files["shared/more/two.yml"] = files.get("shared/more/two.yml", draw(_variable_file()))
            if layout == "link to directory":
                links[place] = "shared"
            elif layout == "link to file":
                links[f"{place}.yml"] = "shared/one.yml"
            else:
                links[f"{place}/000_shared"] = "shared"


@st.composite
def inventories(draw: st.DrawFn) -> DrawnInventory:
    """Draw an inventory of one to three sources."""
    files: dict[str, str] = {}
    links: dict[str, str] = {}
    sources = []
    for number in range(draw(st.sampled_from([1, 1, 2, 3]))):
        kind = draw(st.sampled_from(["yaml", "ini", "directory", "json", "link"]))
        base = f"s{number}/"
        if kind == "directory":
            files[f"{base}10-hosts.yml"] = draw(_yaml_hosts())
            if draw(st.booleans()):
                files[f"{base}20-more"] = draw(_ini_hosts())
            if draw(st.booleans()):
                files[f"{base}deep/hosts.yaml"] = draw(_yaml_hosts())
            files[f"{base}README.md"] = "[not an inventory"
            sources.append(base.rstrip("/"))
        elif kind == "ini":
            files[f"{base}hosts"] = draw(_ini_hosts())
            sources.append(f"{base}hosts")
        elif kind == "json":
            files[f"{base}hosts.json"] = json.dumps({"brokers": {"hosts": dict.fromkeys(HOSTS[:2])}})
            sources.append(f"{base}hosts.json")
        elif kind == "link":
            files[f"real{number}/hosts.yml"] = draw(_yaml_hosts())
            links[f"{base}hosts.yml"] = f"real{number}/hosts.yml"
            sources.append(f"{base}hosts.yml")
        else:
            files[f"{base}hosts.yml"] = draw(_yaml_hosts())
            sources.append(f"{base}hosts.yml")
        draw(_beside(base, files, links))
    if draw(st.integers(0, 3)) == 0:
        draw(_beside("", files, links))  # of the working directory
    return _sound(DrawnInventory(tuple(sources), files, links))


@st.composite
def changes(draw: st.DrawFn, inventory: DrawnInventory) -> DrawnInventory:
    """Draw one change to one file or link of an inventory."""
    files, links = dict(inventory.files), dict(inventory.links)
    name = draw(st.sampled_from(sorted(files)))
    how = draw(st.sampled_from(["edit", "edit", "new", "remove", "link", "unlink"]))
    if how == "remove" and "_vars/" in name:
        del files[name]
    elif how == "new":
        kind, owner = draw(st.sampled_from([("group_vars", "all"), ("host_vars", "a"), ("group_vars", "b_2")]))
        base = draw(st.sampled_from([f"{Path(source).parent}/" for source in inventory.sources] + [""]))
        files.setdefault(f"{base}{kind}/{owner}.yml".removeprefix("./"), draw(_variable_file()))
    elif how == "link":
        files["shared/one.yml"] = files.get("shared/one.yml", "x: linked\n")
        links["s0/group_vars/namesrv.yml"] = "shared/one.yml"
    elif how == "unlink" and links:
        del links[draw(st.sampled_from(sorted(links)))]
    elif "_vars/" in name or name.startswith("shared"):
        files[name] = draw(_variable_file(Path(name).suffix))
    elif name.endswith((".yml", ".yaml")):
        files[name] = draw(_yaml_hosts())
    elif not name.endswith((".md", ".json")):
        files[name] = draw(_ini_hosts())
    return _sound(DrawnInventory(inventory.sources, files, links))


def _sound(inventory: DrawnInventory) -> DrawnInventory:
    """Leave out links where a file stands, and files below links."""
    links = {
        name: target
        for name, target in inventory.links.items()
        if not any(
            file == name or file.startswith(f"{name}/") or name.startswith(f"{file}/") for file in inventory.files
        )
    }
    return DrawnInventory(inventory.sources, inventory.files, links)
