"""Interrupt a change at every moment that it has, one fleet after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.scripted_fleet import ScriptedFleet


def interrupted_at_each_moment(
    make: Callable[[], ScriptedFleet], perform: Callable[[ScriptedFleet], object], *, moments: int
) -> Iterator[ScriptedFleet]:
    """Yield a fleet for each moment, at which the change was interrupted; it is not interrupted again.

    Args:
        make: Makes a fleet that was not changed yet.
        perform: The change.
        moments: Fails when the change has so many, so that a test ends where a change does not.
    """
    for number in range(moments):
        scripted = make()
        scripted.interrupt_at = number
        try:
            perform(scripted)
        except KeyboardInterrupt:
            scripted.interrupt_at = None
        else:
            assert number == len(scripted.moments)
            return
        yield scripted
    pytest.fail("it never came to its end")
