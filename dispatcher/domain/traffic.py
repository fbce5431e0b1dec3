"""How calls to a network are held back, as values: how urgent a call is, what its answer says about the network, and
by which limits it is let go.

Four things hold a call back. The rate limit of its account: a bucket that fills at `rate`; what is less urgent
leaves a part of it to what is more urgent. A pause that the network asked the account for (429, or 503 with
Retry-After). The breaker of the API: after many failures in a row it opens, and lets single calls try whether the
network is back. And the budget of looks: the jobs of an account share so many a minute, those that press go first,
the others one after another. Stops and extensions pass the breaker, and a pause after a while: a stop that comes too
late, or an extension, costs somebody's money or work.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dispatcher.domain.errors import NoAnswer, ProviderError, RateLimited, Unavailable


class Urgency(StrEnum):
    """What a call is for, the most urgent first."""

    STOP = "stop"
    EXTEND = "extend"
    POST = "post"
    PREPARE = "prepare"  # balance, market, pin: what a post needs
    LOOK = "look"  # a job, a result, a list

    @property
    def is_pressing(self) -> bool:
        """A stop or an extension: worth a try even while the network fails."""
        return self in (Urgency.STOP, Urgency.EXTEND)


class Looking(StrEnum):
    """How a look at a job stands to the looks at others, where an account's looks are counted."""

    PRESSING = "pressing"  # something runs out for the job: it goes first
    AGAIN = "again"  # it was held back before, and its turn has come
    NEW = "new"  # it takes its place behind those that wait


class Outcome(StrEnum):
    """What the end of a call says about the network."""

    ANSWERED = "answered"  # it works, whatever it said
    LIMITED = "limited"  # 429: it works, and wants a pause
    FAILED = "failed"  # no answer, or 5xx


class HeldBy(StrEnum):
    """What holds a call back."""

    RATE = "rate"
    PAUSE = "pause"
    BREAKER = "breaker"
    LOOKS = "looks"


class Change(StrEnum):
    """What an answer changed for everybody; also the name of the log line."""

    PAUSED = "account_paused"
    OPENED = "breaker_opened"
    CLOSED = "breaker_closed"


LONGEST_PRESSING_PAUSE: Final = 300.0
"""Seconds into a pause after which stops and extensions are tried all the same."""

_NOT_IMPLEMENTED: Final = 501
"""The server understood and never will do it: an answer, not a failure."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits in seconds of the dispatcher's clock. `rate`: calls a second; `burst`: calls at once."""

    rate: float
    burst: float
    pause: float
    """How long a 429 without Retry-After pauses the account; doubling while they keep coming, to `longest_pause`."""
    longest_pause: float
    failures: int
    """So many failures in a row, within `window`, open the breaker."""
    window: float
    cool_down: float
    """How long the breaker stays open before a call may try; doubling while tries fail, to `longest_cool_down`."""
    longest_cool_down: float
    trial: float
    """For how long a try may be under way before somebody else may make one: its worker may have died."""
    queue: float
    """The longest that a call waits for its place in the bucket before it asks again."""
    ahead: float
    """What was written down by a clock that is further ahead than this is forgotten: it was another clock."""
    looks: float | None = None
    """Looks at jobs a second, besides; None: they are not counted."""
    looks_burst: float = 0.0
    """Looks at once."""

    @classmethod
    def of(
        cls, requests_per_second: float, *, speed: float = 1.0, polls_per_minute: float | None = None
    ) -> "Limits":
        """The limits for an account. All are the wall's seconds, of which the clock makes `speed` each.

        Within any minute no more than `polls_per_minute` looks go out: a burst, and what fills up meanwhile.
        """
        looks_burst = 0.0 if polls_per_minute is None else max(polls_per_minute / 10, 2.0)
        return cls(
            rate=requests_per_second / speed,
            burst=max(2 * requests_per_second, 4.0),
            pause=1.0 * speed,
            longest_pause=30.0 * speed,
            failures=8,
            window=60.0 * speed,
            cool_down=5.0 * speed,
            longest_cool_down=60.0 * speed,
            trial=30.0 * speed,
            queue=30.0 * speed,
            ahead=60.0 * speed,
            looks=None if polls_per_minute is None else (polls_per_minute - looks_burst) / 60 / speed,
            looks_burst=looks_burst,
        )

    def needed(self, urgency: Urgency) -> float:
        """How much must be in the bucket. Looks leave half of it, all that leads to posts a quarter; stops overdraw."""
        match urgency:
            case Urgency.STOP:
                return 1.0 - self.burst
            case Urgency.EXTEND:
                return 1.0
            case Urgency.POST | Urgency.PREPARE:
                return 1.0 + (self.burst - 1.0) / 4
            case Urgency.LOOK:
                return 1.0 + (self.burst - 1.0) / 2

    def needed_to_look(self, looking: Looking) -> float:
        """How much must be left of the looks at once: half of them is kept for what presses."""
        return 1.0 if looking is Looking.PRESSING else 1.0 + (self.looks_burst - 1.0) / 2


def queue_of(urgency: Urgency) -> str:
    """The line in which calls wait for their place in the bucket; empty for those that do not queue."""
    match urgency:
        case Urgency.STOP | Urgency.EXTEND:
            return ""
        case Urgency.POST | Urgency.PREPARE:
            return "posts"
        case Urgency.LOOK:
            return "looks"


def pressing_pause(since: float, before: float | None) -> float:
    """Until when a pause that began at `since` holds stops and extensions back: five minutes, or half of the time
    that was left then to the moment `before` which the call must have landed (unix seconds)."""
    longest = since + LONGEST_PRESSING_PAUSE
    return longest if before is None else min(longest, since + max((before - since) / 2, 0.0))


def outcome_of(error: ProviderError) -> Outcome:
    """What an error says about the network. A 4xx, or an answer that nobody understands, is an answer."""
    match error:
        case RateLimited():
            return Outcome.LIMITED
        case NoAnswer():
            return Outcome.FAILED
        case Unavailable() if error.status is None or (
            error.status >= 500 and error.status != _NOT_IMPLEMENTED
        ):
            return Outcome.FAILED
        case _:
            return Outcome.ANSWERED
