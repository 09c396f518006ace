"""A container engine that is a small program: it keeps containers and networks in a file, and runs nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_PROGRAM = """#!{python}
import fcntl, json, sys
from pathlib import Path
lock = open(__file__ + ".lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
file = Path(__file__ + ".json")
state = json.loads(file.read_text())
what, *rest = sys.argv[1:]
options = dict(part.split("=", 1) for part in rest if part.startswith("--") and "=" in part)
labels = dict(part[len("--label="):].split("=", 1) for part in rest if part.startswith("--label="))
names = [part for part in rest if not part.startswith("--")]
state["calls"].append([what, *rest])
code = 0
def having(things):
    filters = [part[len("label="):] for part in rest if part.startswith("label=")]
    filters += [part[len("--filter=label="):] for part in rest if part.startswith("--filter=label=")]
    return [name for name, labels in things if all(
        any(f"{{key}}={{value}}" == one or key == one for key, value in labels.items()) for one in filters)]
if what == "version":
    print("1")
elif what == "ps":
    print("\\n".join(having((name, entry["Config"]["Labels"]) for name, entry in state["containers"].items())))
elif what == "container":
    print(json.dumps([state["containers"][name] for name in names[1:] if name in state["containers"]]))
elif what in {{"rm", "start", "stop", "kill", "pause", "unpause", "wait"}}:
    for name in names:
        if what == "rm":
            del state["containers"][name]
        elif what in {{"start", "stop", "kill"}}:
            state["containers"][name]["State"]["Running"] = what == "start"
elif what == "exec":
    print(state["systems"].get(names[0], "running"))
elif what == "network" and names[0] == "ls":
    print("\\n".join(having((name, entry["labels"]) for name, entry in state["networks"].items())))
elif what == "network" and names[0] == "inspect":
    code = 0 if names[1] in state["networks"] else 1
    if not code:
        print(json.dumps([state["networks"][names[1]]]))
elif what == "network" and names[0] == "rm":
    del state["networks"][names[1]]
else:
    print("not here:", what, file=sys.stderr)
    code = 125
file.write_text(json.dumps(state))
sys.exit(code)
"""


class ContainerEngine:
    """The program ``docker`` in a directory, and what it has.

    Args:
        directory: Where the program lies; it is to be the only one of the path.
    """

    def __init__(self, directory: Path) -> None:
        program = directory / "docker"
        self._file = Path(f"{program}.json")
        program.write_text(_PROGRAM.format(python=sys.executable))
        program.chmod(0o755)
        self._write({"containers": {}, "networks": {}, "systems": {}, "calls": []})

    def add_host(
        self, lab: str, name: str, address: str, *, running: bool = True, system: str = "running"
    ) -> None:
        """Have a container of a lab, whose id is its host's name."""
        state = self._read()
        labels = {"rmqops.lab": lab, "rmqops.lab.host": name, "rmqops.lab.address": address}
        state["containers"][name] = {
            "Id": name,
            "Config": {"Labels": labels, "Image": "image:1"},
            "State": {"Running": running},
        }
        state["systems"][name] = system
        self._write(state)

    def add_network(self, name: str, **labels: str) -> None:
        """Have a network with labels, whose underscores stand for dots."""
        state = self._read()
        dotted = {key.replace("_", "."): value for key, value in labels.items()}
        state["networks"][name] = {"labels": dotted, "subnets": [{"subnet": "127.0.0.0/24"}]}
        self._write(state)

    @property
    def containers(self) -> dict[str, bool]:
        """The containers, and whether each runs."""
        return {name: entry["State"]["Running"] for name, entry in self._read()["containers"].items()}

    @property
    def networks(self) -> list[str]:
        """The networks."""
        return list(self._read()["networks"])

    @property
    def calls(self) -> list[str]:
        """The subcommands that it was given, as lines."""
        return [" ".join(call) for call in self._read()["calls"]]

    def _read(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self._file.read_text())
        return state

    def _write(self, state: dict[str, Any]) -> None:
        self._file.write_text(json.dumps(state))
