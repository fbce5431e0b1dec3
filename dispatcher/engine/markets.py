"""Prices of markets, remembered for a moment: they change by the hour, jobs come by the second."""

import threading

from dispatcher.domain.ids import AccountName
from dispatcher.ports.provider import Market, Providers


class Markets:
    """Markets by account and by the address or slug that requests name. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[AccountName, str], tuple[float, Market]] = {}

    def get(
        self, providers: Providers, account: AccountName, market: str, *, now: float, at_most: float
    ) -> Market:
        """The market as it was at most `at_most` seconds ago. Raises as `Provider.market` does."""
        with self._lock:
            known = self._known.get((account, market))
        if known is not None and now - known[0] <= at_most:
            return known[1]
        found = providers.account(account).market(market)
        with self._lock:
            self._known[account, market] = (now, found)
        return found
