"""What rmqops reads is held to what ``ansible-inventory --list`` says, while an inventory changes."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from rmqops.errors import InventoryError
from rmqops.model.inventory import from_listing
from rmqops.model.yamltext import Opaque, Verbatim
from rmqops.operations.ansible_inventory import answers, asking, sources
from tests.support import drawn_inventories, plain_inventory
from tests.support.ansible_listings import Listings
from tests.support.drawn_inventories import DrawnInventory
from tests.support.plain_inventory import NotPlainError

STATES = 4
"""Of one inventory: as it was drawn, and after each change."""


def hold(listings: Listings, directory: Path, data: st.DataObject) -> None:
    """Draw an inventory, and hold what is read of it to Ansible, again after each change to it."""
    drawn = data.draw(drawn_inventories.inventories())
    for state in range(STATES):
        if state:
            drawn = data.draw(drawn_inventories.changes(drawn))
        drawn.write(directory)
        with contextlib.chdir(directory):
            _agree(listings, drawn)


def _agree(listings: Listings, drawn: DrawnInventory) -> None:
    before = listings.asked
    first = _read(drawn)
    # Where a kept answer was found, Ansible has not been asked of this state yet.
    theirs = first if listings.asked > before else listings.listing(drawn.sources)
    assert first == theirs
    if theirs is None:
        return
    asked = listings.asked
    assert _read(drawn) == theirs
    assert listings.asked == asked, "the answer was kept"
    _holds_all(drawn, theirs)


def _read(drawn: DrawnInventory) -> Any:
    try:
        return answers.read(sources.look(drawn.sources)).listing
    except InventoryError:
        return None


def _holds_all(drawn: DrawnInventory, theirs: dict[str, Any]) -> None:
    files = sources.look(drawn.sources)
    raw = from_listing(theirs, drawn.sources, files.places)
    hostvars = theirs["_meta"]["hostvars"]
    for name, host in raw.hosts.items():
        assert _shown(dict(host.variables)) == hostvars.get(name, {}), name
        assert host.groups == tuple(sorted(group for group in theirs if _has(theirs, group, name)))
        for key, origin in host.origins.items():
            line = Path(origin.file).read_text("utf-8").split("\n")[origin.line - 1]
            assert key.split(".")[-1] in line, (key, origin, line)
    assert set(hostvars) <= set(raw.hosts)
    with contextlib.suppress(NotPlainError):
        plain = plain_inventory.listing(files)
        assert plain["_meta"]["hostvars"] == hostvars
        assert {name: plain[name] for name in theirs if name != "_meta"} == {
            name: body for name, body in theirs.items() if name != "_meta"
        }


def _has(theirs: dict[str, Any], group: str, host: str) -> bool:
    if group in {"_meta", "all"}:
        return False
    body = theirs.get(group, {})
    return host in body.get("hosts", ()) or any(_has(theirs, child, host) for child in body.get("children", ()))


def _shown(value: Any) -> Any:
    """Return a value as Ansible lists it."""
    if isinstance(value, dict):
        return {key: _shown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shown(item) for item in value]
    if isinstance(value, Opaque):
        return {"__ansible_vault": str(value)}
    return {"__ansible_unsafe": str(value)} if isinstance(value, Verbatim) else value


def asks_through(patch: pytest.MonkeyPatch, listings: Listings, cache: Path) -> None:
    """Have rmqops ask one process of Ansible's, and keep its answers in a directory."""
    patch.setattr(asking, "ask", listings.ask)
    patch.setenv("RMQOPS_CACHE", str(cache))
