#!/usr/bin/env python3
"""Draw docs/inventory.md from what the role and the code say: variables, types, defaults, meanings, rules."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rmqops.model import rules, schema, yamltext  # noqa: E402
from rmqops.model.schema import Schema, Setting  # noqa: E402

OUT = ROOT / "docs" / "inventory.md"
ROLE = ROOT / "roles" / "rocketmq"
SECTIONS: Mapping[str, Sequence[str]] = {
    "The cluster": ("cluster", "version", "patches", "supervisor", "drillable", "strict"),
    "Where things lie on a host": ("base_dir", "instance_dir", "data_dir", "log_dir", "user", "manage_user"),
    "Addresses and ports": ("address", "replication_address", "listen_port", "dledger_port"),
    "Java": ("java", "java_package", "java_home", "heap", "young_generation", "direct_memory", "jvm_options"),
    "Brokers": (
        *(
            "group",
            "mode",
            "dledger_id",
            "broker_id",
            "broker_role",
            "auto_create_topic",
            "minimal_config",
            "config",
        ),
    ),
    "Starting and stopping": ("start_timeout", "stop_timeout"),
}
INTRODUCTION = """\
# Inventories

<!-- Drawn by scripts/draw_inventory_reference.py (`make docs`): change that script or the role, not this file. -->

An inventory of rmqops is an Ansible inventory, and Ansible reads it: rmqops asks the `ansible-inventory` that it
is installed with ([ADR 0017](adr/0017-inventories-are-asked-of-ansible.md)). So YAML and INI, directories, links,
programs, plug-ins, `group_vars` and `host_vars`, vaults and their passwords, and `ansible.cfg` work as you know
them, and `rmqops deploy -i X` and `ansible-playbook -i X playbooks/site.yml` read the same values. `-i` may be
given several times: the sources are one inventory, in that order. Sources that name different clusters
(`rocketmq_cluster`) are refused. What Ansible cannot read is told with its own reason, exit code 3.

A name is looked up in `./inventory`, then among the ones that rmqops ships; anything with a slash or a suffix is a
path, and what has a comma is a list of hosts. `rmqops validate -i X` says everything that is wrong with one, and
touches nothing: with file and line where YAML says it, else with host and inventory.

Ansible is asked again when a file, a setting or a release has changed; answers are kept below `~/.cache/rmqops`
(`RMQOPS_CACHE`), mode 0600, but not those of vaulted files, programs and plug-ins.

- A **host** is an instance: one process, a NameServer or a broker. Several may share one machine (`ansible_host`).
- The group **`namesrv`** holds the NameServers.
- The group **`brokers`** has one child group for each broker group; its name is RocketMQ's `brokerName`.
- Hosts of the group **`clients`** run none of the instances; a drill's load may run there ([drills](drills.md)).
  Of rmqops' variables they use `rocketmq_base_dir`, `rocketmq_java` and `rocketmq_java_home`.

```yaml
{example}```

{shipped}

## Variables

Set a variable on a host, on a group (`vars`, `group_vars/`), or for `all`, as in any Ansible inventory. A value
may be a template: Jinja's own filters, the host's variables, `inventory_hostname`, `group_names`, `groups`,
`hostvars`, `inventory_dir` and `lookup('env', 'NAME', default='…')`. Facts are not there: an inventory is
complete before the first connection. Templates are resolved in Jinja's sandbox, in a bounded number of steps and
a bounded size. Files may be vaulted as a whole; single values may be (`!vault`) where rmqops has no need of them
(`ansible_become_password`). A number may be a text (`"300"`, as the environment gives it) that is written as
numbers are.
"""
RULES = """\
## What is checked

Before anything is touched, all problems at once, exit code 3. Warnings (two members of a group on one machine, for
example) are errors with `rocketmq_strict: true`. Addresses that are reserved for documentation may be rendered and
not deployed.
"""
KEYS = """\
## RocketMQ's own keys

`rocketmq_config` takes any key of the release that rmqops does not write itself. RocketMQ ignores an unknown
key and a value that does not convert, without a word, and of many others it dies or does something else; rmqops
refuses all of these. [RocketMQ's own keys](config-keys.md) lists every key, its default and what is checked.
"""


def main() -> None:
    """Write the page."""
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(draw(), "utf-8")


def draw() -> str:
    """Return the page."""
    specs, defaults = (ROLE / "meta" / "argument_specs.yml", ROLE / "defaults" / "main.yml")
    known = schema.schema(specs.read_text("utf-8"), defaults.read_text("utf-8"))
    return "\n".join(
        [
            INTRODUCTION.replace("{example}", _example()).replace("{shipped}", "\n".join(_shipped())),
            *_variables(known),
            RULES,
            *_rules(),
            "",
            KEYS,
        ]
    )


def _example() -> str:
    text = (ROOT / "inventory" / "prod" / "hosts.yml").read_text("utf-8")
    document: Any = yamltext.read("hosts.yml", text)[0].plain()
    children = document["all"]["children"]
    group, body = next(iter(children["brokers"]["children"].items()))
    lines = ["all:", "  children:", "    namesrv:", "      hosts:"]
    for name, variables in children["namesrv"]["hosts"].items():
        lines += [f"        {name}:", f"          ansible_host: {variables['ansible_host']}"]
    lines += ["    brokers:", "      children:", f"        {group}:", "          hosts:"]
    for name, variables in body["hosts"].items():
        lines.append(f"            {name}:")
        lines += [f"              {key}: {value}" for key, value in variables.items()]
    return "\n".join(lines) + "\n"


def _shipped() -> Iterator[str]:
    yield "rmqops ships these:\n"
    for directory in sorted((ROOT / "inventory").iterdir()):
        if not (directory / "hosts.yml").is_file():
            continue
        lines = (directory / "hosts.yml").read_text("utf-8").removeprefix("---\n").splitlines()
        comment = " ".join(line[1:].strip() for line in takewhile(lambda line: line.startswith("# "), lines))
        yield f"- `{directory.name}`: {comment}"


def _variables(known: Schema) -> Iterator[str]:
    listed = [f"rocketmq_{name}" for names in SECTIONS.values() for name in names]
    missing = sorted(set(known.settings) ^ set(listed))
    if missing:
        raise SystemExit(f"SECTIONS of this script and the role's argument_specs differ in {', '.join(missing)}")
    for title, names in SECTIONS.items():
        yield f"### {title}\n"
        yield "| variable | type | default | meaning |\n|---|---|---|---|"
        for name in names:
            yield _row(known, known.settings[f"rocketmq_{name}"])
        yield ""


def _row(known: Schema, setting: Setting) -> str:
    kind = " or ".join(f"`{choice}`" for choice in setting.choices) or setting.type
    if setting.required:
        default = "required"
    elif setting.name in known.defaults:
        value = known.defaults[setting.name]
        default = _code(str(value).lower() if isinstance(value, bool) else str(value)) if value != "" else "empty"
    else:
        default = "none"
    return f"| `{setting.name}` | {kind} | {default} | {_cell(setting.description)} |"


def _rules() -> Iterator[str]:
    for module in pkgutil.iter_modules(rules.__path__):
        first = (importlib.import_module(f"{rules.__name__}.{module.name}").__doc__ or "").split("\n\n")[0]
        yield f"- {' '.join(first.split())}"


def _code(text: str) -> str:
    return f"`{_cell(text)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main()
