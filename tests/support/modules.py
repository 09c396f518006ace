"""The role's own Ansible modules, loaded from their files."""

from __future__ import annotations

import base64
import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

LIBRARY = Path(__file__).parents[2] / "roles" / "rocketmq" / "library"


def role_module(name: str) -> ModuleType:
    """Import a module of the role."""
    spec = importlib.util.spec_from_file_location(name, LIBRARY / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_module(
    name: str, arguments: Mapping[str, object], *, check: bool = False, diff: bool = False
) -> dict[str, Any]:
    """Run a module as Ansible does: its arguments put into its text, and that piped to Python."""
    shared = LIBRARY.parent / "files" / "directories.py"
    if name in {"rocketmq_directories", "rocketmq_removal"}:
        arguments = {**arguments, "look": shared.read_text("utf-8")}
    packed = base64.b64encode(json.dumps(arguments).encode()).decode()
    given = json.dumps({"packed": packed, "_ansible_check_mode": check, "_ansible_diff": diff})
    text = (LIBRARY / f"{name}.py").read_text().replace("<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>", given)
    done = subprocess.run([sys.executable, "-"], input=text, capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.stdout else {"failed": True, "msg": done.stderr}
