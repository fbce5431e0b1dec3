"""Policies that end a job, and that begin another attempt."""

from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from dispatcher.domain.duration import Duration
from dispatcher.domain.names import Account, Market, scope_name
from dispatcher.domain.policies.fields import AwareDatetime, Budget, Interval, Policy

LONGEST_RESULT: Final = 4_000
"""Characters of a result that are kept, and looked through."""

Share = Annotated[float, Field(gt=0, lt=1)]
"""A part of a limit: 0.8 is reached when four fifths of it are used."""


class SoftSteps(Policy):
    """What happens before a stop: at such a part of `after`, of the time to `at`, or of `max_cost`.

    `warn`: a warning in the job's log and events; `no_extends`: the job gets no more time from then on. Each comes
    once for each limit. The stop itself comes at the limit.
    """

    warn: Share | None = None
    no_extends: Share | None = None


class ResultMatch(Policy):
    """A result that the network shows while the job runs: the value of `key`, as text, is like `pattern`.

    In a pattern `*` stands for any text, also none; everything else for itself: `FOUND`, `*FOUND*`, `error: *`. The
    whole value counts, cut after 4,000 characters. (No regular expressions: one that somebody else wrote can keep a
    worker busy for hours.) Needs a network that shows results while a job runs.
    """

    key: Annotated[str, Field(min_length=1, max_length=200)]
    pattern: Annotated[str, Field(min_length=1, max_length=1000)]

    def holds(self, value: str | None) -> bool:
        """Whether `value` is like the pattern; None, for what is not shown, never is."""
        if value is None:
            return False
        text = value[:LONGEST_RESULT]
        first, *rest = self.pattern.split("*")
        if not rest:
            return text == first
        *between, last = rest
        if not text.startswith(first) or not text.endswith(last):
            return False
        at, end = len(first), len(text) - len(last)
        for part in between:
            if (found := text.find(part, at)) < 0:
                return False
            at = found + len(part)
        return at <= end


class StopPolicy(Policy):
    """When the job is stopped: the first of these that comes true.

    `after`: so long after a host took it; `at`: a point in time; `max_cost`: before it costs more than this
    (also a strict cap: no more is ever posted or extended than this pays for, in all attempts together);
    `queued_longer_than`: no host took it for so long; `no_output_for`: a host has it, and nothing new came out of it
    for so long; `result_matches`: it showed what was looked for; `budget`: the budget of this scope
    (`label:team-a`, `account:NAME`), which the job counts for, is used up: it does not pay for one more minute of the
    job, what is reserved counted as used. `soft`: what comes before a stop by time or cost.
    """

    kind: Literal["stop"] = "stop"
    after: Duration | None = None
    at: AwareDatetime | None = None
    max_cost: Budget | None = None
    queued_longer_than: Duration | None = None
    no_output_for: Interval | None = None
    result_matches: ResultMatch | None = None
    budget: Annotated[str, AfterValidator(scope_name)] | None = None
    soft: SoftSteps | None = None


class Place(Policy):
    """Where an attempt may run: a market, of another account (and so perhaps another network) if one is named.

    `max_rate_per_hour`: US dollars, fee included; while the market asks for more, the place is passed over.
    """

    market: Market
    account: Account | None = None
    max_rate_per_hour: Budget | None = None


class RapidEnds(Policy):
    """Ends within minutes, again and again: something is wrong that trying again does not cure, and it costs money.

    An attempt (or a scheduled job) whose host had it for less than `within` ended rapidly. After `slow_after` of them
    in a row the waits between are `factor` times as long for each further one; after `halt_after` there is no other.
    """

    within: Interval = timedelta(minutes=2)
    slow_after: Annotated[int, Field(ge=1, le=100)] = 2
    factor: Annotated[float, Field(ge=1, le=100)] = 4
    halt_after: Annotated[int, Field(ge=1, le=100)] = 5


RetryOn = Literal["failed", "exit_code", "host_quit", "timed_out", "queued_too_long", "no_result", "refused"]
"""Ends after which another attempt is made.

failed: every end as `failed`, but for a job that vanished; exit_code: the container failed; host_quit; timed_out: it
ran into its time-out or `stop.after`; queued_too_long: `stop.queued_longer_than` came true; no_result; refused: the
network refused the post for good.
"""


class RetryPolicy(Policy):
    """Which ends are followed by another attempt, how often, how soon, and where.

    `on`: which ends; `exit_codes`: failures with these exit codes, besides. `attempts`: in all, the first one
    counted. Between two the job waits `backoff`, twice as long each time, up to `at_most`. `elsewhere`: the next
    attempt goes to the next of these places, in order and from the job's own place again after the last; without it,
    to the same. `rapid`: attempts that end at once are slowed down and then halted.

    The next attempt is posted only when the one before is known to be over on the network.
    """

    kind: Literal["retry"] = "retry"
    on: tuple[RetryOn, ...] = ("host_quit", "queued_too_long")
    exit_codes: tuple[Annotated[int, Field(ge=1, le=255)], ...] = ()
    attempts: Annotated[int, Field(ge=2, le=20)] = 3
    backoff: Interval = timedelta(seconds=30)
    at_most: Interval = timedelta(minutes=30)
    elsewhere: Annotated[tuple[Place, ...], Field(max_length=20)] = ()
    rapid: RapidEnds = RapidEnds()
