"""What the network saw its clients do: every call, every effect, and the effects that should not have been
there.

A posting or an extension is a **duplicate** when it repeats the purpose of an earlier effect of the same
account:

- Posting the same definition twice is not by itself a duplicate, since that may be meant. A posting's purpose
  is `meta.dispatch_id` with `meta.dispatch_attempt` of its definition. Without an attempt in the definition,
  the root of the idempotency key stands for it; without `meta.dispatch_id`, that root alone is the purpose.
- A definition is the same in every attempt. Where it alone says the purpose, a posting is a duplicate only while the
  earlier job is alive: what is over may be tried again.
- The root of a key is the key without its last `:part`. Keys are of the form `<job>:post:<ordinal>:<epoch>`
  and `<job>:extend:<ordinal>:<epoch>`, where the epoch grows only after a call that surely did not happen. So
  two effects under one root are one too many.
- Items of one batch call share its key. There the root together with the item's content is the purpose, and
  the items of one call are never each other's duplicates by key.
- An effect with neither `meta.dispatch_id` nor a key has no known purpose and is never counted.
"""

from collections import Counter, deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from dispatcher.simulator.definitions import Definition
from dispatcher.simulator.jobs import Job


@dataclass(frozen=True, slots=True)
class Record:
    """One call. `account` is a name, never a key; `status` is None if the connection was cut."""

    at: float
    method: str
    route: str
    path: str
    account: str | None
    status: int | None
    key: str | None
    faults: tuple[str, ...]
    replayed: bool

    def as_json(self) -> dict[str, Any]:
        """The record as the ledger's route shows it."""
        return {
            "time": self.at,
            "method": self.method,
            "route": self.route,
            "path": self.path,
            "account": self.account,
            "status": self.status,
            "idempotency_key": self.key,
            "faults": list(self.faults),
            "replayed": self.replayed,
        }


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An effect that repeats an earlier one's purpose. `kind` is `post` or `extend`."""

    kind: str
    purpose: str
    first: str
    again: str
    at: float


class Ledger:
    """Counts over all calls, the last `kept` calls in full, and all duplicates."""

    def __init__(self, kept: int) -> None:
        self.calls: deque[Record] = deque(maxlen=kept)
        self.total = 0
        self.statuses: Counter[tuple[str, str]] = Counter()
        self.faults: Counter[str] = Counter()
        self.posts_by_cid: Counter[str] = Counter()
        self.posts_by_key_root: Counter[str] = Counter()
        self.duplicates: list[Duplicate] = []
        self._purposes: dict[Hashable, tuple[int, Job]] = {}

    @property
    def duplicate_posts(self) -> int:
        """How many postings were one too many."""
        return sum(duplicate.kind == "post" for duplicate in self.duplicates)

    @property
    def duplicate_extends(self) -> int:
        """How many extensions were one too many."""
        return sum(duplicate.kind == "extend" for duplicate in self.duplicates)

    def note(self, record: Record) -> None:
        """A call was answered, or cut."""
        self.calls.append(record)
        self.total += 1
        self.statuses[record.route, "cut" if record.status is None else str(record.status)] += 1
        self.faults.update(record.faults)

    def posted(self, job: Job, definition: Definition | None, *, batch: bool, at: float) -> None:
        """A job was listed."""
        self.posts_by_cid[job.cid] += 1
        root = key_root(job.key)
        if root is not None:
            self.posts_by_key_root[root] += 1
        name = job.account.name
        item = (job.cid, job.market.address) if batch else ()
        dispatch_id = definition.dispatch_id if definition else None
        attempt = definition.dispatch_attempt if definition else None
        if dispatch_id is not None and (attempt is not None or not batch):
            purpose: Hashable = (name, "dispatch", dispatch_id, attempt if attempt is not None else root)
            self._count("post", purpose, job, at, alone=True, again=root is None or attempt is not None)
        elif root is not None:
            self._count("post", (name, "key", root, *item), job, at, alone=not batch)

    def extended(self, job: Job, key: str | None, *, batch: bool, at: float) -> None:
        """A job was extended (and charged for it)."""
        root = key_root(key)
        if root is not None:
            item = (job.address,) if batch else ()
            self._count("extend", (job.account.name, "extend", root, *item), job, at, alone=not batch)

    def _count(
        self, kind: str, purpose: Hashable, job: Job, at: float, *, alone: bool, again: bool = False
    ) -> None:
        """`alone`: even within one call the purpose may be served once only. The number of calls noted so far
        tells calls apart, since a call is noted after its effects. `again`: it may be served anew once the job that
        served it is over."""
        known = self._purposes.get(purpose)
        if known is None or (again and known[1].over):
            self._purposes[purpose] = (self.total, job)
        elif alone or known[0] != self.total:
            words = purpose[1:] if isinstance(purpose, tuple) else (purpose,)
            told = "/".join(map(str, words))
            self.duplicates.append(Duplicate(kind, told, known[1].address, job.address, at))


def key_root(key: str | None) -> str | None:
    """An idempotency key without its last `:part`; the whole key if it has no such part."""
    if key is None:
        return None
    root, colon, _ = key.rpartition(":")
    return root if colon else key
