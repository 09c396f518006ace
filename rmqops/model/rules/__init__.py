"""One file a rule. A rule holds a resolved inventory to one thing and yields what breaks it.

Each module has ``check(cluster) -> Iterator[Problem]`` and is found by being here.
"""
