"""Make a slave the master of its group, as a person must where nothing elects; and give the roles back.

Before DLedger (4.5.0) a group whose master died is read from its slaves and takes no writes until a person acts:
writes the master's two settings into a slave's file, restarts it, and sees to it that the old master never comes
back as a second one. In order:

1. The old master is stopped for good (its unit might start it again), or its host is declared dead.
2. The slave has taken in what was on its way; where its log ends then is written down on its host.
3. It stops. What the old master's log holds beyond that place, and nobody else, is counted and set aside
   (:mod:`rmqops.operations.observe.commit_log_tail`), and the old master gets the slave's settings.
4. It starts as master, and every NameServer names it.

Every step may be interrupted, and is done once more by the same command.
"""

from rmqops.operations.change.promote.plan import PromotionPlan, RoleChange, find_slave
from rmqops.operations.change.promote.promotion import Promote
from rmqops.operations.change.promote.undo import UndoPromotion

__all__ = ["Promote", "PromotionPlan", "RoleChange", "UndoPromotion", "find_slave"]
