"""What a drill says: YAML to values, who is struck, and what the guard lets pass."""

from rmqops.chaos.drill.model import Abort, Drill, Limits, Phase, Schedule, Strike, Times
from rmqops.chaos.drill.reading import document, find, names, parse, schema, text
from rmqops.chaos.drill.schedule import ScheduledPhase, scheduled

__all__ = [
    "Abort",
    "Drill",
    "Limits",
    "Phase",
    "Schedule",
    "ScheduledPhase",
    "Strike",
    "Times",
    "document",
    "find",
    "names",
    "parse",
    "scheduled",
    "schema",
    "text",
]
