"""What CONTRIBUTING says of the rooms is so: a module that calls itself pure is held to it."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_module_that_says_it_is_pure_is_in_the_contract() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = {item["name"]: item for item in settings["tool"]["importlinter"]["contracts"]}
    held = contracts["the pure rooms do no input or output"]["source_modules"]
    promised = []
    for path in sorted((ROOT / "rmqops").rglob("*.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if "PURE" in docstring.split("\n\n")[0] and not any(f"{module}.".startswith(f"{name}.") for name in held):
            promised.append(module)
    assert promised == []
