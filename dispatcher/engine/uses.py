"""What is used of the budgets, remembered for a moment: jobs that are stopped by one ask at every look."""

import threading

from dispatcher.domain.budget import BudgetUse
from dispatcher.ports.ledger import Ledger


class Uses:
    """The budgets as they were a moment ago. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: tuple[float, list[BudgetUse]] | None = None

    def of(self, ledger: Ledger, scope: str, *, now: float, at_most: float) -> list[BudgetUse]:
        """The budgets of `scope`, at most one for each window, as they were at most `at_most` seconds ago."""
        with self._lock:
            known = self._known
        if known is None or not now - at_most < known[0] <= now:
            known = (now, ledger.budgets(now=now))
            with self._lock:
                self._known = known
        return [use for use in known[1] if use.budget.scope == scope]
