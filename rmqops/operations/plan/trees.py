"""The files that every instance should have, rendered from the templates that rmqops carries."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from rmqops import assets
from rmqops.model.topology import Instance, Topology
from rmqops.render import files
from rmqops.render.files import File


@cache
def templates() -> Mapping[str, str]:
    """Return the text of each template by its path under ``templates/``."""
    root = assets.path("templates")
    return {
        str(path.relative_to(root)): path.read_text("utf-8") for path in sorted(root.rglob(f"*{files.SUFFIX}"))
    }


def tree(instance: Instance) -> tuple[File, ...]:
    """Render the tree of one instance."""
    return files.instance_files(instance, templates())


def file(instance: Instance, path: str) -> str:
    """Render one file of every instance's tree, such as ``jvm.options``."""
    name = f"common/{path}{files.SUFFIX}"
    (rendered,) = files.instance_files(instance, {name: templates()[name]})
    return rendered.content


def instructions(topology: Topology) -> str:
    """Render the page that says how to install the cluster by hand."""
    return files.instructions(topology, templates())
