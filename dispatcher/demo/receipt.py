"""What came of it: a line for each request, the sums, and whether they add up."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dispatcher.demo.network import Counts
from dispatcher.demo.scenario import Fate
from dispatcher.domain.money import THOUSANDTH, format_usd
from dispatcher.domain.words import State

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Line:
    """One request's end. `cost` in US dollars; `said`: what is to be reported of it, perhaps nothing."""

    name: str
    shows: str
    fate: Fate
    state: str
    reason: str
    posts: int = 0
    extends: int = 0
    ran_for: str | None = None
    cost: Decimal = ZERO
    said: Sequence[str] = ()

    @property
    def as_expected(self) -> bool:
        return self.fate.fits(self.state, self.reason, self.extends)


@dataclass(frozen=True, slots=True)
class Books:
    """US dollars over all accounts: at the start, what arrived since, what is there now, what is still held."""

    at_start: Decimal
    added: Decimal
    after: Decimal
    held: Decimal

    @property
    def before(self) -> Decimal:
        """All there was to spend: what was there at the start and what arrived later."""
        return self.at_start + self.added

    @property
    def spent(self) -> Decimal:
        return self.before - self.after


@dataclass(frozen=True, slots=True)
class Receipt:
    """The lines, the books by the network's word, and the network's own counts."""

    lines: Sequence[Line]
    books: Books
    network: Counts

    @property
    def cost(self) -> Decimal:
        """The sum of what the jobs cost, by the dispatcher's word."""
        return sum((line.cost for line in self.lines), ZERO)

    @property
    def posts(self) -> int:
        return sum(line.posts for line in self.lines)

    @property
    def extends(self) -> int:
        return sum(line.extends for line in self.lines)

    def ended(self, state: State) -> int:
        """How many requests ended so."""
        return sum(line.state == state for line in self.lines)

    def problems(self) -> list[str]:
        """One sentence for each thing that is not as it should be; none if all is well."""
        found = [_unexpected(line) for line in self.lines if not line.as_expected]
        books = self.books
        if books.spent != self.cost:
            found.append(
                f"the balance fell by ${format_usd(books.spent)}, but the jobs cost ${format_usd(self.cost)}"
            )
        if books.held != 0:
            found.append(f"${format_usd(books.held)} is still held, though every job is over")
        for what, ours, theirs in (
            ("posts", self.posts, self.network.posts),
            ("extensions", self.extends, self.network.extends),
        ):
            if ours != theirs:
                found.append(f"the dispatcher counts {ours} {what}, the network {theirs}")
        for what, count in (
            ("posts", self.network.duplicate_posts),
            ("extensions", self.network.duplicate_extends),
        ):
            if count:
                found.append(f"{count} {what} were made twice")
        return found

    def as_json(self) -> dict[str, Any]:
        """The sums for programs. `balance_before_usd` is what was there at the start and `credit_added_usd`, so
        that before - after = spent. Amounts are US dollars, to the thousandth."""
        return {
            "jobs": len(self.lines),
            "completed": self.ended(State.COMPLETED),
            "stopped": self.ended(State.STOPPED),
            "failed": self.ended(State.FAILED),
            "rejected": self.ended(State.REJECTED),
            "extends": self.network.extends,
            "posts": self.network.posts,
            "duplicate_posts": self.network.duplicate_posts,
            "spent_usd": _number(self.books.spent),
            "held_usd": _number(self.books.held),
            "balance_before_usd": _number(self.books.before),
            "balance_after_usd": _number(self.books.after),
            "credit_added_usd": _number(self.books.added),
        }


def _unexpected(line: Line) -> str:
    fate = line.fate
    wanted = f"{fate.state} ({' or '.join(sorted(fate.reasons))}), {fate.extends} extensions"
    return f"{line.name} ended as {line.state} ({line.reason}), {line.extends} extensions; expected: {wanted}"


def _number(amount: Decimal) -> float:
    return float(amount.quantize(THOUSANDTH))
