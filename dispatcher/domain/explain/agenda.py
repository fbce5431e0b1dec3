"""What every rule of the planner has to say about a job, in their order, and which of them goes next."""

from dataclasses import dataclass

from dispatcher.domain import planner
from dispatcher.domain.actions import Due
from dispatcher.domain.explain.clauses import clause
from dispatcher.domain.explain.deeds import in_words, sentence
from dispatcher.domain.job import Job


@dataclass(frozen=True, slots=True)
class Entry:
    """One rule. `at` (unix seconds; 0: at once), `action` and `policy` are None where the rule does not apply.

    `under`: the policy's field with its value. `wins`: it is the one that goes next.
    """

    rule: str
    says: str
    at: float | None = None
    action: str | None = None
    policy: str | None = None
    under: str | None = None
    wins: bool = False

    @property
    def applies(self) -> bool:
        return self.at is not None


def entries(job: Job, now: float) -> tuple[Entry, ...]:
    """One entry for each rule of `planner.RULES`."""
    winner = planner.upcoming(job, now)
    return tuple(_entry(job, rule, rule(job), winner, now) for rule in planner.RULES)


def _entry(job: Job, rule: planner.Rule, due: Due | None, winner: Due, now: float) -> Entry:
    name, says = getattr(rule, "__name__", "?"), sentence(rule)
    if due is None:
        return Entry(name, says)
    under = None if due.policy is None else clause(job, due.policy, now)
    return Entry(name, says, due.at, in_words(job, due.action), due.policy, under, due.rule == winner.rule)
