"""Times in order: a heap whose outdated entries are dropped when they come up."""

import heapq


class Times:
    """Keys, each with one time; the earliest first, equal times in the order of their keys (as in a sorted set)."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def set(self, key: str, at: float) -> None:
        if self._at.get(key) != at:
            self._at[key] = at
            heapq.heappush(self._heap, (at, key))

    def get(self, key: str) -> float | None:
        return self._at.get(key)

    def keys(self) -> list[str]:
        return list(self._at)

    def discard(self, key: str) -> None:
        self._at.pop(key, None)

    def earliest(self) -> tuple[str, float] | None:
        while self._heap:
            at, key = self._heap[0]
            if self._at.get(key) == at:
                return key, at
            heapq.heappop(self._heap)
        return None

    def count_until(self, now: float) -> int:
        return sum(at <= now for at in self._at.values())

    def pop_until(self, now: float, limit: int) -> list[str]:
        """Take out up to `limit` keys whose time has come, the earliest first."""
        taken: list[str] = []
        while len(taken) < limit and (first := self.earliest()) is not None and first[1] <= now:
            taken.append(first[0])
            self.discard(first[0])
        return taken
