"""What systemd says of an instance that it could not keep up."""

from __future__ import annotations

from rmqops.operations.hosts.facts import Facts


def complaint(facts: Facts) -> str | None:
    """Return why an instance is down in spite of systemd, with its last words; None when it is not.

    A unit that was stopped on purpose is inactive, and no complaint. One that fails is started again up to
    ``StartLimitBurst`` times (``templates/common/rocketmq.service.j2``), and then is ``failed``.
    """
    state = facts.state
    restarts, result = state.get("NRestarts", "0"), state.get("Result", "unknown")
    if state.get("ActiveState") == "failed":
        text = f"its unit has failed ({result}) and is not started again"
    elif state.get("SubState") == "auto-restart" or (state.get("ActiveState") == "activating" and restarts != "0"):
        text = f"its unit fails ({result}) and is started again and again, {restarts} times so far"
    else:
        return None
    return f"{text}; it said last: {' | '.join(facts.said)}" if facts.said else text
