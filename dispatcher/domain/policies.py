"""Policies: data queued with the request that decides the follow-ups. What a policy means stands here, once.

The planner asks these models; it never looks at raw numbers of theirs beside them. Unknown fields are refused.
All durations are measured in the network's time; `after`, `max_runtime` count from the moment a host took
the job, since that is what is paid.
"""

import re
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from dispatcher.domain.duration import Duration, format_duration
from dispatcher.domain.money import Usd

SHORTEST_TIMEOUT = 60
"""Seconds; the network's front end and clients offer no less (Nosana: range 60 to 360000, inferred)."""

LONGEST_TIMEOUT = 360_000
"""Seconds; the same source."""

STOP_GRACE = 60
"""Seconds posted beyond a planned stop: if every dispatcher process dies, the network itself ends the job then."""

_NUMBER = re.compile(r"[-+.\d_eE]*")


def _written(value: Any) -> Any:
    """Refuses what pydantic would take for unix seconds or milliseconds, whichever it thinks likelier."""
    if isinstance(value, datetime) or (isinstance(value, str) and not _NUMBER.fullmatch(value.strip())):
        return value
    raise ValueError("a time is a date with its offset: 2026-12-24T18:00:00+01:00, or ...Z for UTC")


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs its offset: 2026-12-24T18:00:00+01:00, or ...Z for UTC")
    return value


def _at_least(shortest: timedelta, value: timedelta) -> timedelta:
    if value < shortest:
        raise ValueError(f"must be {format_duration(shortest)} or more")
    return value


def _positive(value: Decimal) -> Decimal:
    if value <= 0:
        raise ValueError("must be more than 0 US dollars")
    return value


AwareDatetime = Annotated[datetime, BeforeValidator(_written), AfterValidator(_aware)]
Budget = Annotated[Usd, AfterValidator(_positive)]
Interval = Annotated[Duration, AfterValidator(partial(_at_least, timedelta(seconds=1)))]
Extension = Annotated[Duration, AfterValidator(partial(_at_least, timedelta(seconds=SHORTEST_TIMEOUT)))]


class Policy(BaseModel):
    """What all policies share: frozen, strict about unknown fields, silent about input values in errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class PollPolicy(Policy):
    """How often the network is asked how the job is.

    The first look comes `every` after posting or after anything changed; each look without a change makes the
    interval `backoff` times longer, up to `at_most`. Near a known deadline the interval halves the time that
    is left, but is never shorter than `near_deadline`.
    """

    kind: Literal["poll"] = "poll"
    every: Interval = timedelta(seconds=30)
    backoff: Annotated[float, Field(ge=1, le=10)] = 1.5
    at_most: Duration = timedelta(minutes=5)
    near_deadline: Interval = timedelta(seconds=10)

    def interval(self, unchanged_looks: int, left: float | None) -> float:
        """Seconds until the next look after `unchanged_looks` looks in a row, `left` seconds before the deadline."""
        longest = max(self.at_most, self.every).total_seconds()
        seconds = min(self.every.total_seconds() * self.backoff ** min(unchanged_looks, 32), longest)
        if left is not None and left > 0:
            seconds = min(seconds, max(left / 2, self.near_deadline.total_seconds()))
        return seconds


class ExtendPolicy(Policy):
    """Whether and how the job gets more time before it runs out.

    It is extended `by` so much, `margin` before the deadline that the network shows (default: 10 % of `by`,
    between 60 s and 300 s, the clamp of the network's own orchestrator; never more than half of `by`), until
    the total time would exceed `max_runtime`, the total price `max_cost`, or it was extended `max_times`.
    The last extension is shortened to what these allow, if that is a minute or more.
    """

    kind: Literal["extend"] = "extend"
    by: Extension
    margin: Duration | None = None
    max_runtime: Duration | None = None
    max_cost: Budget | None = None
    max_times: Annotated[int, Field(ge=1)] | None = None

    def margin_seconds(self) -> float:
        """How long before the remote deadline an extension is asked for, in seconds."""
        return _margin(self.margin, self.by.total_seconds())


class QuantumPolicy(Policy):
    """Post short, and extend in steps, so that a dispatcher that died costs at most one step.

    No more than `step` is ever posted or added at once: the time-out of the request, and what the extend policy adds,
    are reached step by step, each `margin` before the deadline that the network shows (default and limit as for the
    extend policy). Where credit, a budget or a cap does not allow the next step, the job ends with the last one.
    May be written as the step alone: `"quantum": "30m"`.
    """

    kind: Literal["quantum"] = "quantum"
    step: Annotated[Duration, AfterValidator(partial(_at_least, timedelta(seconds=2 * SHORTEST_TIMEOUT)))]
    margin: Duration | None = None

    def margin_seconds(self) -> float:
        """How long before the remote deadline the next step is asked for, in seconds."""
        return _margin(self.margin, self.step.total_seconds())

    def next_step(self, left: int) -> int:
        """Seconds of the next step where `left` are wanted: never so that less than the shortest posting is left."""
        step = int(self.step.total_seconds())
        if left <= step:
            return left
        return step if left - step >= SHORTEST_TIMEOUT else step - SHORTEST_TIMEOUT


def _margin(given: timedelta | None, seconds: float) -> float:
    wanted = given.total_seconds() if given is not None else min(max(seconds * 0.1, 60.0), 300.0)
    return min(wanted, seconds / 2)


def _step_alone(value: Any) -> Any:
    return {"step": value} if isinstance(value, str | timedelta) else value


class StopPolicy(Policy):
    """When the job is stopped: the first of these that comes true.

    `after`: so long after a host took it; `at`: a point in time; `max_cost`: before it costs more than this
    (also a strict cap: no more is ever posted or extended than this pays for); `queued_longer_than`: no host
    took it for so long.
    """

    kind: Literal["stop"] = "stop"
    after: Duration | None = None
    at: AwareDatetime | None = None
    max_cost: Budget | None = None
    queued_longer_than: Duration | None = None


class CreditPolicy(Policy):
    """What happens when the balance does not pay for the job: `wait` for credit (the default) or `fail`.

    `wait_at_most` ends the waiting; the job is then rejected.
    """

    kind: Literal["credit"] = "credit"
    when_short: Literal["wait", "fail"] = "wait"
    wait_at_most: Duration | None = None


class Policies(Policy):
    """The policies of one request. `version` is the version of this form, for requests that are stored."""

    version: Literal[1] = 1
    poll: PollPolicy = PollPolicy()
    quantum: Annotated[QuantumPolicy, BeforeValidator(_step_alone)] | None = None
    extend: ExtendPolicy | None = None
    stop: StopPolicy = StopPolicy()
    credit: CreditPolicy = CreditPolicy()

    def max_cost(self) -> Decimal | None:
        """The most that may ever be reserved for the job, in US dollars, or None where nothing limits it."""
        caps = [self.stop.max_cost, self.extend.max_cost if self.extend else None]
        return min((cap for cap in caps if cap is not None), default=None)

    def max_runtime(self) -> float | None:
        """The most seconds of run time that may ever be posted in total, or None where nothing limits them."""
        caps = []
        if self.stop.after is not None:
            caps.append(self.stop.after.total_seconds() + STOP_GRACE)
        if self.extend is not None and self.extend.max_runtime is not None:
            caps.append(self.extend.max_runtime.total_seconds())
        return min(caps, default=None)

    def margin_seconds(self) -> float | None:
        """How long before the remote deadline more time is asked for, in seconds; None where none ever is."""
        if self.quantum is None:
            return None if self.extend is None else self.extend.margin_seconds()
        margin = self.quantum.margin_seconds()
        if self.extend is not None and self.extend.margin is not None:
            margin = max(
                margin, min(self.extend.margin.total_seconds(), self.quantum.step.total_seconds() / 2)
            )
        return margin
