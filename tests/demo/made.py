"""A receipt that adds up, for tests to bend."""

from decimal import Decimal

from dispatcher.demo.network import Counts
from dispatcher.demo.receipt import Books, Line, Receipt
from dispatcher.demo.scenario import Fate
from dispatcher.domain.words import Reason, State

DONE = Fate(State.COMPLETED, frozenset({Reason.FINISHED}), extends=2)
STOPPED = Fate(State.STOPPED, frozenset({Reason.STOP_AT, Reason.TIMED_OUT}))
REFUSED = Fate(State.REJECTED, frozenset({Reason.REFUSED}))

LINES = (
    Line("a", "extended twice", DONE, "completed", "finished", 1, 2, "20m", Decimal("0.104")),
    Line("b", "stopped", STOPPED, "stopped", "timed_out", 1, 0, "16m", Decimal("0.277")),
    Line("c", "refused", REFUSED, "rejected", "refused"),
)
BOOKS = Books(at_start=Decimal(5), added=Decimal("0.25"), after=Decimal("4.869"), held=Decimal(0))
COUNTS = Counts(posts=2, extends=2, duplicate_posts=0, duplicate_extends=0, lost_answers=3)
GOOD = Receipt(LINES, BOOKS, COUNTS)
