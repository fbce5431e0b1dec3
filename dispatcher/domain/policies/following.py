"""Policies for a job that runs: how often it is looked at, and how it gets more time."""

from datetime import timedelta
from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from dispatcher.domain.duration import Duration
from dispatcher.domain.policies.fields import (
    SHORTEST_TIMEOUT,
    AwareDatetime,
    Budget,
    Extension,
    Interval,
    Policy,
    at_least,
)


class PollPolicy(Policy):
    """How often the network is asked how the job is.

    The first look after anything changed comes `every` later; each look without a change makes the interval
    `backoff` times longer, up to `at_most`. Until a host has the job, the first look comes `at_first` after posting,
    and the following ones no later than when the time since posting has doubled: the network's index has a job after
    a few seconds, and hosts take it soon. Near a known deadline the interval halves the time that is left, but is
    never shorter than `near_deadline`.
    """

    kind: Literal["poll"] = "poll"
    at_first: Interval = timedelta(seconds=5)
    every: Interval = timedelta(seconds=30)
    backoff: Annotated[float, Field(ge=1, le=10)] = 1.5
    at_most: Duration = timedelta(minutes=5)
    near_deadline: Interval = timedelta(seconds=10)

    def interval(self, unchanged_looks: int, left: float | None, queued_for: float | None = None) -> float:
        """Seconds until the next look after `unchanged_looks` looks in a row, `left` seconds before the deadline.

        `queued_for`: seconds since it was posted, while no host has it.
        """
        longest = max(self.at_most, self.every).total_seconds()
        seconds = min(self.every.total_seconds() * self.backoff ** min(unchanged_looks, 32), longest)
        if queued_for is not None:
            seconds = min(seconds, max(queued_for, self.at_first.total_seconds()))
        if left is not None and left > 0:
            seconds = min(seconds, max(left / 2, self.near_deadline.total_seconds()))
        return seconds


class ExtendPolicy(Policy):
    """Whether and how the job gets more time before it runs out.

    It is extended `by` so much, `margin` before the deadline that the network shows (default: 10 % of `by`,
    between 60 s and 300 s, the clamp of the network's own orchestrator; never more than half of `by`), until
    its time would reach beyond `until`, the total time would exceed `max_runtime`, the total price `max_cost`, or it
    was extended `max_times`. The last extension is shortened to what these allow, if that is a minute or more.
    """

    kind: Literal["extend"] = "extend"
    by: Extension
    margin: Duration | None = None
    until: AwareDatetime | None = None
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
    step: Annotated[Duration, AfterValidator(partial(at_least, timedelta(seconds=2 * SHORTEST_TIMEOUT)))]
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
