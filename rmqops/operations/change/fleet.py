"""A cluster that is to be changed, and the two ways to its hosts: commands, and Ansible's playbooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rmqops.model.topology import Instance, Topology, Value
from rmqops.operations.change import playbook
from rmqops.operations.change.playbook import FORKS, PlaybookRunner
from rmqops.operations.change.progress import Progress
from rmqops.operations.hosts import facts
from rmqops.operations.hosts.facts import HostSurvey
from rmqops.operations.plan import mastership, trees
from rmqops.transport.base import Transports, transport_for

NO_RESTART: Final[Mapping[str, Value]] = {"rocketmq_restart": False}
"""A playbook restarts nothing by itself: what must be restarted is rolled, one instance at a time."""


@dataclass(frozen=True)
class Fleet:
    """A cluster, and how it is reached; a test hands in its own two ways."""

    topology: Topology
    transports: Transports = transport_for
    run_playbook: PlaybookRunner = playbook.run

    def survey(self, instances: Sequence[Instance]) -> HostSurvey:
        """Ask the hosts of instances, and of all members of their groups without elections, in one round."""
        return facts.survey(mastership.concerned(self.topology, instances), self.transports)

    def play(
        self,
        name: str,
        instances: Sequence[Instance],
        progress: Progress,
        *,
        variables: Mapping[str, Value] = NO_RESTART,
        rendered: Mapping[str, Mapping[str, str]] | None = None,
        forks: int = FORKS,
    ) -> None:
        """Run a playbook for some instances, all when none is given; the arguments are those of the runner.

        Raises:
            OperationFailed: a host failed or was not reached, or the cluster's lock was lost before.
        """
        progress.go_on()
        self.run_playbook(
            name,
            self.topology.sources,
            hosts=self.topology.instances,
            log=progress.log,
            listener=progress.listener,
            variables=variables,
            limit=[instance.name for instance in instances],
            rendered=rendered,
            forks=forks,
        )

    def place(self, instance: Instance, progress: Progress) -> None:
        """Put an instance's files in place, and start nothing.

        Raises:
            OperationFailed: they are not there.
        """
        self.play("place", [instance], progress, variables={}, rendered={instance.name: files_of(instance)})


def files_of(instance: Instance) -> dict[str, str]:
    """Return the text of each file of an instance's tree by its path."""
    return {file.path: file.content for file in trees.tree(instance)}
