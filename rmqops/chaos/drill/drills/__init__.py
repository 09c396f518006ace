"""The drills that rmqops ships: one YAML file each, read by :mod:`rmqops.chaos.drill`."""
