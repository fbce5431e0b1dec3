"""The passing of time: jobs leave the queue, run and end, in the exact order of their times.

Events lie in a heap. Nothing happens between two looks but what the events up to the later look say, so what
one sees does not depend on how often one looks.
"""

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from dispatcher.simulator.behaviour import Defaults
from dispatcher.simulator.conditions import Conditions
from dispatcher.simulator.definitions import Definition
from dispatcher.simulator.hosts import Pool
from dispatcher.simulator.jobs import End, Job, State

_REFUSAL_TAKES = 2.0
_SEARCH_TAKES = 30.0
_USUAL = Conditions()
_BROKEN = 1
"""The exit code of what fails for its host's sake."""


class Timeline:
    """Moves jobs through their lives. `definition_of` finds a pinned definition by CID, or None."""

    def __init__(
        self, start: float, definition_of: Callable[[str], Definition | None], defaults: Defaults
    ) -> None:
        self.now = start
        self._definition_of = definition_of
        self._defaults = defaults
        self._pools: dict[str, Pool] = {}
        self._conditions: dict[str, Conditions] = {}
        self._runs: Counter[str] = Counter()
        self._events: list[tuple[float, int, int, Job]] = []
        self._made = 0

    def add_pool(self, market: str, pool: Pool) -> None:
        """Makes a market's hosts known."""
        self._pools[market] = pool

    def conditions(self, market: str) -> Conditions:
        """How the hosts of a market do at the moment."""
        return self._conditions.get(market, _USUAL)

    def change(self, market: str, conditions: Conditions, hosts: int) -> None:
        """From now on its hosts are so many, and do as told; whoever waits for a new one starts."""
        self._conditions[market] = conditions
        for job, host in self._pools[market].resize(hosts):
            self._start(job, host, self.now)

    def advance(self, now: float) -> float:
        """Lets happen all that happens up to `now`. A clock that goes back is taken to stand still."""
        while self._events and self._events[0][0] <= now:
            at, _, turn, job = heapq.heappop(self._events)
            if turn == job.turn:
                self.now = at
                self._happen(job, at)
        self.now = max(self.now, now)
        return self.now

    def enqueue(self, job: Job) -> None:
        """A job was listed: it is offered to hosts after its queue time."""
        definition = self._definition_of(job.cid)
        wanted = definition.behaviour.queued_for if definition else None
        at_least = self.conditions(job.market.address).queued_for or 0.0
        self._schedule(job, self.now + max(self._filled(job, "queued_for", wanted), at_least))

    def reschedule(self, job: Job) -> None:
        """A running job's time-out moved."""
        if job.state is State.RUNNING:
            self._foretell_end(job)

    def delist(self, job: Job) -> None:
        """A queued job is taken off the queue, for nothing."""
        job.turn += 1
        job.delisted_at = self.now
        self._close(job, End.DELISTED)

    def stop(self, job: Job, how: End = End.STOPPED) -> None:
        """Ends a running job now."""
        self._end(job, self.now, how)

    def _happen(self, job: Job, at: float) -> None:
        if job.state is State.QUEUED:
            host = self._pools[job.market.address].take(job)
            if host is not None:
                self._start(job, host, at)
        else:
            self._end(job, at, job.ends_how)

    def _start(self, job: Job, host: str, at: float) -> None:
        job.state = State.RUNNING
        job.node = host
        job.started_at = at
        job.definition = self._definition_of(job.cid)
        self._runs[job.cid] += 1
        if job.definition is not None:
            job.behaviour = job.definition.behaviour.of_run(self._runs[job.cid])
        job.conditions = self._met(job.market.address)
        self._foretell_end(job)

    def _met(self, market: str) -> Conditions:
        """What the next job meets at its host."""
        conditions = self.conditions(market)
        if conditions.times is None:
            return conditions
        if conditions.times == 0:
            return _USUAL
        self._conditions[market] = replace(conditions, times=conditions.times - 1)
        return conditions

    def _foretell_end(self, job: Job) -> None:
        definition = job.definition
        if definition is None:
            ends = [(job.started_at + _SEARCH_TAKES, End.UNPINNED)]
        elif definition.faults:
            ends = [(job.started_at + _REFUSAL_TAKES, End.REFUSED)]
        else:
            met = job.conditions
            job.runs_for = self._filled(job, "runs_for", job.behaviour.runs_for) * met.slow_by
            if met.fails_after is not None and met.fails_after < job.runs_for:
                job.runs_for, job.behaviour = met.fails_after, replace(job.behaviour, exit_code=_BROKEN)
            ends = [(job.started_at + job.runs_for, End.FINISHED)]
        quits = [job.behaviour.host_quits_after, job.conditions.host_quits_after, job.quits_after]
        ends += [(job.started_at + after, End.HOST_QUIT) for after in quits if after is not None]
        ends.append((float(job.deadline), End.EXPIRED))
        job.ends_at, job.ends_how = min(ends, key=lambda end: end[0])
        self._schedule(job, job.ends_at)

    def _end(self, job: Job, at: float, how: End) -> None:
        job.state = State.STOPPED if how is End.HOST_QUIT else State.COMPLETED
        job.ended_at = at
        job.exit_code = job.behaviour.exit_code
        job.result_at = at + self._filled(job, "results_after", job.behaviour.results_after)
        job.turn += 1
        self._close(job, how)
        if job.node is not None:
            following = self._pools[job.market.address].release(job.node)
            if following is not None:
                self._start(following, job.node, at)

    def _close(self, job: Job, how: End) -> None:
        """The one place where a job ends and its credits are settled, so it happens exactly once."""
        job.end = how
        job.settled = min(job.rate.price(job.seconds_used), job.reserved)
        job.account.settle(job.reserved, job.settled)

    def _schedule(self, job: Job, at: float) -> None:
        job.turn += 1
        self._made += 1
        heapq.heappush(self._events, (at, self._made, job.turn, job))

    def _filled(self, job: Job, name: str, wanted: float | None) -> float:
        if wanted is not None:
            return wanted
        chosen: float = getattr(self._defaults.for_cid(job.cid), name)
        return chosen
