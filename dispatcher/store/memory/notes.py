"""What is noted beside the jobs: what is pinned, whose an account's jobs are, whose turn it was."""

import threading

from dispatcher.domain.cid import Cid
from dispatcher.domain.ids import AccountName, ProjectAddress

PINS_AT_MOST = 100_000
"""CIDs that are known to be pinned, the latest; `mark_pinned.lua` says the same."""


class Notes:
    """Reads and writes what the store itself keeps."""

    _lock: threading.Lock
    _pinned: dict[tuple[AccountName, Cid], None]
    _projects: dict[AccountName, ProjectAddress]
    _turns: dict[str, float]

    def is_pinned(self, cid: Cid, account: AccountName) -> bool:
        with self._lock:
            return (account, cid) in self._pinned

    def mark_pinned(self, cid: Cid, account: AccountName) -> None:
        with self._lock:
            self._pinned.setdefault((account, cid))
            if len(self._pinned) > PINS_AT_MOST:
                del self._pinned[next(iter(self._pinned))]

    def project(self, account: AccountName) -> ProjectAddress | None:
        with self._lock:
            return self._projects.get(account)

    def note_project(self, account: AccountName, project: ProjectAddress) -> None:
        with self._lock:
            self._projects[account] = project

    def take_turn(self, name: str, *, now: float, period: float) -> bool:
        with self._lock:
            taken = self._turns.get(name)
            # Either way round: clocks of different machines are a little apart.
            if taken is not None and abs(now - taken) < period:
                return False
            self._turns[name] = now
            return True
