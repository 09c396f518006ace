"""What a command that is run on the machines of a cluster is."""

from __future__ import annotations

import pytest

from rmqops.errors import UsageError
from rmqops.operations.hosts import execute
from tests.support.instances import topology


def test_what_exec_runs() -> None:
    made = topology()
    for item in made.instances:
        item.variables["rocketmq_log_dir"] = "/logs"  # type: ignore[index]
    [once] = execute.jobs(made, [], ["uptime"])
    assert (once.name, once.command.argv) == ("localhost", ("uptime",))
    each = execute.jobs(made, ["namesrv"], ["sh", "-c", "x"])
    assert [item.name for item in each] == ["namesrv-1", "namesrv-2", "namesrv-3"]
    assert each[0].command.argv[:2] == ("env", "RMQOPS_INSTANCE=namesrv-1")
    with pytest.raises(UsageError, match="no instance or group nobody"):
        execute.jobs(made, ["nobody"], ["x"])
