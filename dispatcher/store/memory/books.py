"""The books of one account in this process. Amounts are whole micro-dollars; the ledger's lock is around all of it."""

from collections import defaultdict
from dataclasses import dataclass, field

from dispatcher.domain.ids import HoldId, JobId
from dispatcher.ports.ledger import GIVING_BACK, KEPT, Audit, Frozen


@dataclass(slots=True)
class Hold:
    """Credits that are set aside. `stamp`: the marker that was the last when the network's reservation was confirmed;
    None while open."""

    job: JobId
    amount: int
    stamp: int | None = None


@dataclass(slots=True)
class Books:
    """One account's."""

    marker: int = 0
    balance: tuple[int, int, int] | None = None  # assigned, reserved, settled
    balance_marker: int = 0
    balance_at: float = 0.0
    holds: dict[HoldId, Hold] = field(default_factory=dict)
    of_job: defaultdict[JobId, set[HoldId]] = field(default_factory=lambda: defaultdict(set))
    confirmed_unseen: set[HoldId] = field(default_factory=set)
    tails: list[tuple[int, int]] = field(default_factory=list)
    """(stamp, amount) of jobs that were settled before a balance showed their reservation."""
    settled_jobs: set[str] = field(default_factory=set)
    """And attempts, as `job:attempt`."""
    unseen: int = 0
    held: int = 0
    settled: int = 0
    settlements: int = 0
    returned: int = 0
    given: tuple[float, int] | None = None
    """When, and how much had been returned in total by then; noted at least `GIVING_BACK` seconds apart."""
    given_before: int = 0
    frozen: Frozen | None = None
    audit: Audit | None = None

    def is_unseen(self, hold: Hold) -> bool:
        return hold.stamp is None or hold.stamp >= self.balance_marker

    def available(self) -> int | None:
        if self.balance is None:
            return None
        assigned, reserved, settled = self.balance
        return assigned - reserved - settled - self.unseen

    def held_for(self, job: JobId) -> int:
        return sum(self.holds[hold].amount for hold in self.of_job.get(job, ()))

    def has_open_hold(self, job: JobId) -> bool:
        """Whether something is set aside for a call of the job, not only kept from its last attempt."""
        mine = self.of_job.get(job, ())
        return any(self.holds[hold].stamp is None and not hold.endswith(KEPT) for hold in mine)

    def set_aside(self, hold_id: HoldId, job: JobId, micros: int) -> None:
        """Make a hold, which is open."""
        self.holds[hold_id] = Hold(job, micros)
        self.of_job[job].add(hold_id)
        self.unseen += micros
        self.held += micros

    def remove(self, hold_id: HoldId) -> None:
        """The hold is no more, nor one of its job's."""
        job = self.drop(hold_id).job
        self.of_job[job].discard(hold_id)
        if not self.of_job[job]:
            del self.of_job[job]

    def close(self, job: JobId, name: str, micros: int, keep: tuple[HoldId, int] | None = None) -> int:
        """Close all holds of a job: it, or under this name one of its attempts, is over and cost so much. What the
        network reserved and no balance shows yet stays unseen until one does. Of what was held beyond the cost, up to
        so much is kept; the answer is how much."""
        self.settled_jobs.add(name)
        self.settlements += 1
        left = max(self.held_for(job) - micros, 0)
        self.returned += left
        shown = reserved = 0
        for hold_id in self.of_job.pop(job, ()):
            hold = self.drop(hold_id)
            if not self.is_unseen(hold):
                shown += hold.amount
            elif hold.stamp is not None:
                reserved += hold.amount
        if (tail := max(reserved, micros - shown)) > 0:
            self.tails.append((self.marker, tail))
            self.unseen += tail
        self.settled += micros
        kept = 0 if keep is None else min(keep[1], left)
        if keep is not None and kept > 0:
            self.set_aside(keep[0], job, kept)
        return kept

    def drop(self, hold_id: HoldId) -> Hold:
        hold = self.holds.pop(hold_id)
        self.held -= hold.amount
        if self.is_unseen(hold):
            self.unseen -= hold.amount
            self.confirmed_unseen.discard(hold_id)
        return hold

    def note_returns(self, now: float) -> None:
        """What had been given back `GIVING_BACK` seconds ago has arrived."""
        if self.given is None:
            self.given = (now, self.returned)
        elif abs(now - self.given[0]) >= GIVING_BACK:
            self.given_before, self.given = self.given[1], (now, self.returned)

    def show(self) -> None:
        """Everything that was confirmed before the balance was asked for is in it."""
        for hold_id in [name for name in self.confirmed_unseen if not self.is_unseen(self.holds[name])]:
            self.confirmed_unseen.discard(hold_id)
            self.unseen -= self.holds[hold_id].amount
        self.unseen -= sum(amount for stamp, amount in self.tails if stamp < self.balance_marker)
        self.tails = [tail for tail in self.tails if tail[0] >= self.balance_marker]
