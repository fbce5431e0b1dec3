"""Pages of the network's list of jobs, remembered for a moment.

Many posts may be in doubt at once, and the network lets few lists be read. One page serves every job that looks for
its post meanwhile; and a look that is held back between two pages goes on from there, instead of beginning again.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from dispatcher.domain.ids import AccountName, MarketAddress
from dispatcher.domain.words import Phase
from dispatcher.ports.provider import ListedJob, Provider

PAGE = 50


@dataclass(frozen=True, slots=True)
class Page:
    """`asked_at`, `answered_at`: unix seconds; what it shows was so at some moment between them."""

    rows: tuple[ListedJob, ...]
    asked_at: float
    answered_at: float


class Lists:
    """The last answer for each page of each list. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[AccountName, MarketAddress | None, Phase | None, int], Page] = {}

    def page(
        self,
        provider: Provider,
        account: AccountName,
        number: int,
        *,
        phase: Phase | None,
        market: MarketAddress | None,
        since: float,
        now: Callable[[], float],
    ) -> Page:
        """Page `number` (from 0), asked for at `since` or later. Raises as `Provider.list_jobs` does."""
        key = (account, market, phase, number)
        with self._lock:
            known = self._known.get(key)
        if known is not None and known.asked_at >= since:
            return known
        asked_at = now()
        rows = provider.list_jobs(phase=phase, market=market, limit=PAGE, offset=number * PAGE)
        page = Page(rows, asked_at, now())
        with self._lock:
            self._known[key] = page
        return page
