"""One simulation: a world in turmoil, from one seed, which then has to settle."""

import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from structlog.testing import capture_logs

from dispatcher.domain.errors import InvalidRequest, NotPossible, NotSent, RequestConflict, UnknownJob
from dispatcher.domain.ids import AccountName, JobId, ProjectAddress
from dispatcher.domain.request import JobRequest
from dispatcher.domain.words import FINAL_STATES, Reason
from dispatcher.engine import intake
from dispatcher.engine.advance import advance
from dispatcher.engine.freezing import thaw
from dispatcher.engine.lists import Lists
from dispatcher.engine.markets import Markets
from dispatcher.engine.parts import Parts, Timing
from dispatcher.engine.reconcile import reconcile_in_turn
from dispatcher.engine.sweep import sweep
from dispatcher.ports.mending import Damage
from dispatcher.providers.accounts import Accounts
from dispatcher.simulator.fault_plan import parse_plan
from dispatcher.simulator.network import Options
from dispatcher.simulator.transport import SimulatedTransport
from tests.simulation.faults import Dangers, draw_dangers
from tests.simulation.operators import Operators
from tests.simulation.outside import Outside
from tests.simulation.ports import Bell, Books, Crossing, Networks, Port, WatchedStore, WorkerClock
from tests.simulation.requests import draw_request
from tests.simulation.story import Line, Story
from tests.simulation.turns import Baton, Killed, Turn
from tests.simulation.watch import Watch
from tests.world import START, World

FOREVER = 1e9
UNHURRIED = 60.0
"""Seconds between two looks at a balance for which nothing but credit is awaited."""
WAITS = (Reason.AWAITING_CREDIT, Reason.AWAITING_BUDGET, Reason.AWAITING_JOBS)
EXPECTED = (Killed, UnknownJob, NotPossible, RequestConflict, InvalidRequest)
"""How a turn may end without anything being wrong."""


class Simulation:
    """See the module."""

    def __init__(self, seed: int, jobs: int) -> None:
        self.story = Story(seed)
        self.rng = random.Random(f"simulation {seed}")
        self.dangers: Dangers = draw_dangers(self.rng, jobs)
        self.world = World(
            seed=seed,
            accounts=self.dangers.accounts,
            faults=self.dangers.faults,
            timing=Timing(retention=FOREVER),
            options=Options(generation=3 if self.dangers.keyed else 2),
        )
        self.world.logs_lead_to_records = False  # its own checks tell whether they do, beside all else
        self.clock = self.world.clock
        self.baton, self.books = Baton(), Books()
        self.watch = Watch(self.world, self.story, self.told)
        self.observer = self.watch.observer
        self.outside = Outside(self.world, self.rng, self.dangers, self.told)
        self.bell = Bell(self.rng, drops=self.dangers.drops, doubles=self.dangers.doubles)
        self.crossing = Crossing(self.rng, self.baton, self.clock, self.told)
        self.crossing.pauses, self.crossing.stalls = self.dangers.pauses, self.dangers.stalls
        self.crossing.dies = self.dangers.dies
        self.world.transport = SimulatedTransport(self.world.network, waited=self._waits)
        self.world.traffic = Port(self.world.traffic, self.crossing, "traffic")
        self.world.requests_per_second = self.dangers.requests_per_second
        self.names = list(self.dangers.accounts)
        for name in self.names:
            account = self.world.network.accounts.of_key(f"nos_{name}")
            assert account is not None
            self.world.parts.store.note_project(AccountName(name), ProjectAddress(account.project))
        providers = Accounts({AccountName(name): self.world.provider(name) for name in self.names})
        networks = Networks(providers, self.crossing, self.books)
        self.shared = replace(
            self.world.parts,
            store=Port(WatchedStore(self.world.parts.store, self.books), self.crossing, "store"),
            ledger=Port(self.world.parts.ledger, self.crossing, "ledger"),
            providers=networks,
            waker=self.bell,
        )
        self.workers = {f"w{number}": self._worker(skew) for number, skew in enumerate(self.dangers.skews)}
        self.skews = dict(zip(self.workers, self.dangers.skews, strict=True))
        self.unasked = [draw_request(self.rng, n, START, self.names) for n in range(jobs)]
        self.asked: list[JobRequest] = []
        self.accepted: dict[str, set[JobId]] = {}
        self.anonymous: list[JobId] = []
        self.known: list[JobId] = []
        self.mended = 0
        self.peace_at = START
        for scope, limit in self.dangers.budgets.items():
            self.watch.allow(scope, limit)
        self.operators = Operators(self)
        self.moments = self._moments(jobs)

    def _moments(self, jobs: int) -> list[tuple[float, Callable[[], None]]]:
        """When something happens from outside, the last first: requests early, everything else all the time."""
        rng, lasts = self.rng, self.dangers.lasts
        early = lasts * rng.choice([0.001, 0.1, 0.5])
        drawn = [(rng.random() * early, self._produce) for _ in range(jobs)]
        for often, happens in (
            (0.2, self._produce),
            (self.dangers.meddling, self.operators.operate),
            (self.dangers.meddling / 3, self.operators.change_policies),
            (0.2 if self.dangers.budgets else 0.0, self.operators.raise_budget),
            (0.5 if self.dangers.credit else 0.0, self.outside.credit),
            (0.1, self.outside.quit_host),
            (self.dangers.weather, self.outside.weather),
            (self.dangers.damage, self.outside.damage),
        ):
            drawn += [(rng.random() * lasts, happens) for _ in range(int(often * jobs))]
        # Beats ask for a round about every minute, and there may be two of them.
        drawn += [(rng.random() * lasts, self._beat) for _ in range(int(lasts / 60))]
        return sorted(((START + at, happens) for at, happens in drawn), key=lambda m: m[0], reverse=True)

    def books_of(self, account: AccountName) -> Any:
        """The memory ledger's own books of the account."""
        return self.world.parts.ledger._accounts[account]  # type: ignore[attr-defined]

    def _worker(self, skew: float) -> Parts:
        return replace(self.shared, clock=WorkerClock(self.clock, skew), markets=Markets(), lists=Lists())

    # The trace, and time

    def told(self, who: str, what: str, about: str) -> None:
        self.story.trace.append(Line(self.clock.at, who, what, about))

    def _waits(self, seconds: float) -> None:
        """A slow answer: whoever asked sleeps, the others go on."""
        turn = self.baton.current
        if turn is None:
            self.clock.move(seconds)
            return
        self.told(turn.name, f"waits {seconds:.1f} s for an answer", "")
        turn.sleeps_until = self.clock.at + seconds
        self.baton.pause()

    def _awake(self) -> list[Turn]:
        return [turn for turn in self.baton.paused if turn.sleeps_until <= self.clock.at]

    def _leap(self, worker: str, *, full: bool = False, calmly: bool = False) -> bool:
        """To the next moment at which something can happen; False if nothing ever does. `full`: nobody has a hand
        free before an answer comes."""
        moments = [turn.sleeps_until for turn in self.baton.paused]
        moments += [self.moments[-1][0]] if self.moments else []
        store, now = self.world.parts.store, self.clock.at
        if not full and (due := store.earliest_due()) is not None:
            moments.append(due - self.skews[worker] + 0.001)
        if not full and store.waiting_lines():
            moments.append(now + (UNHURRIED if calmly else self.world.parts.timing.credit_watch))
        if not moments:
            return False
        self.clock.at = max(now, min(moments))
        return True

    # Who does what

    def start(
        self,
        worker: str,
        name: str,
        work: Callable[[], Any],
        then: Callable[[Any], None],
        refused: Callable[[], None] | None = None,
    ) -> None:
        """A turn of `worker`; `refused`: what follows if what it was given is refused."""

        def ended(turn: Turn) -> None:
            if turn.error is None:
                then(turn.result)
                return
            if isinstance(turn.error, InvalidRequest) and refused is not None:
                refused()
            self.told(turn.name, f"ends with {type(turn.error).__name__}", str(turn.error)[:100])
            if isinstance(turn.error, Killed) and not turn.doomed and self.rng.random() < 0.5:
                for other in self.baton.paused:  # the whole process dies, not a thread of it
                    other.doomed = other.doomed or other.worker == worker
            if not isinstance(turn.error, EXPECTED):
                self.story.wrong.append(f"{turn.name} raised {turn.error!r}")

        self.baton.start(Turn(f"{worker} {name}", worker, work, ended))

    def _advance(self, worker: str) -> None:
        job_id, parts = self.bell.take(), self.workers[worker]
        self.start(worker, f"advance {job_id[-2:]}", lambda: advance(parts, job_id), lambda _: None)

    def _sweep(self, worker: str) -> None:
        parts = self.workers[worker]
        self.start(worker, "sweep", lambda: sweep(parts), lambda _: None)

    def _produce(self) -> None:
        again = self.asked and (not self.unasked or self.rng.random() < 0.2)
        if again:
            requests = [self.rng.choice(self.asked)]
            if requests[0].request_id is None:
                return
        else:
            count = self.rng.choice([1, 1, 2, 5])
            requests, self.unasked = self.unasked[:count], self.unasked[count:]
            self.asked.extend(requests)
        self._enqueue(self.workers[self.rng.choice(list(self.workers))], requests)

    def _enqueue(self, parts: Parts, requests: list[JobRequest]) -> None:
        self.start(
            "producer",
            f"enqueue {len(requests)}",
            lambda: intake.enqueue(parts, requests),
            lambda added: self._accepted(requests, added),
            lambda: self._ask_again(requests),
        )

    def _ask_again(self, requests: list[JobRequest]) -> None:
        """What it comes after is not there yet, or never will be."""
        if self.peace_at > START and self.clock.at < self.peace_at + 600:
            again = (self.clock.at + 30.0, lambda: self._enqueue(self.workers["w0"], requests))
            self.moments = sorted([*self.moments, again], key=lambda m: m[0], reverse=True)

    def _accepted(self, requests: list[JobRequest], added: Any) -> None:
        for request, item in zip(requests, added, strict=True):
            if request.request_id is None:
                self.anonymous.append(item.id)
            else:
                self.accepted.setdefault(request.request_id, set()).add(item.id)
            if item.id not in self.known:
                self.known.append(item.id)

    def _beat(self) -> None:
        worker = self.rng.choice(list(self.workers))
        self.start("beat", "reconcile", lambda: reconcile_in_turn(self.workers[worker]), self._mended)

    def _mended(self, found: Any) -> None:
        """Where nothing was damaged there is nothing to mend."""
        if found is not None:
            self.mended += len(found.findings)
            # A worker that stood still for minutes may have had the messages of jobs that are late now.
            late = Damage.LATE.value if self.dangers.stalls else None
            odd = [finding for finding in found.findings if finding.what != late]
            if odd and not self.dangers.damage:
                self.story.wrong.append(f"mended, though nothing was damaged: {odd[:3]}")

    # The two halves

    def run(self) -> Story:
        """Turmoil, then peace."""
        with capture_logs() as logs:
            try:
                self._turmoil()
                self._settle()
            finally:
                self.baton.close()
        self.story.wrong += self.books.wrong + self.observer.wrong
        self.story.wrong += [
            f"logged: {line}"
            for line in logs
            if line["log_level"] in {"error", "critical", "exception"}
            and not (line["event"] == "account_frozen" and self.dangers.claws_back)
        ]
        self.story.jobs = len(self.world.parts.store.list_jobs(limit=100_000))
        self.story.kinds = self.books.kinds
        self.story.calls = self.crossing.calls
        self.story.requests = self.world.network.ledger.total
        return self.story

    @property
    def _failed(self) -> bool:
        return bool(self.story.wrong or self.books.wrong or self.observer.wrong)

    def _turmoil(self) -> None:
        rng, until = self.rng, START + self.dangers.lasts
        workers = list(self.workers)
        while self.clock.at < until and not self._failed:
            awake, chance = self._awake(), rng.random()
            if awake and chance < 0.7:
                self.baton.resume(rng.choice(awake))
            elif self.bell.rung and len(self.baton.paused) < self.dangers.busy and chance < 0.9:
                self._advance(rng.choice(workers))
            elif self.moments and self.moments[-1][0] <= self.clock.at:
                self.moments.pop()[1]()
            elif awake and rng.random() < 0.6:
                # Time passes while somebody is on the way between two calls, perhaps beyond a lease.
                self.clock.move(rng.choice([0.01, 0.3, 1.0, 4.0, 35.0]) if rng.random() < 0.3 else 0.05)
            else:
                full, worker = len(self.baton.paused) >= self.dangers.busy, rng.choice(workers)
                if not awake and (full or not self.bell.rung) and not self._leap(worker, full=full):
                    return
                if not full:
                    self._sweep(worker)

    def _settle(self) -> None:
        """No faults, nobody dies, every request is sent once more, and the time is given that it takes."""
        self.told("outside", "peace", "")
        self.peace_at = self.clock.at
        self.moments = [(self.clock.at + 60.0 * minute, self._beat) for minute in range(6, 0, -1)]
        self.crossing.dies = self.crossing.stalls = self.bell.drops = self.bell.doubles = 0.0
        self.world.network.faults.replace(parse_plan([]))
        self.outside.fair_weather()
        for name in self.names:
            # A person puts back what was clawed back, and lets the account spend again.
            if (lacking := -self.available(name)) > 0:
                self.world.credit(name, str(lacking))
            self._thaw(AccountName(name))
        self.asked += self.unasked
        for request in self.asked:
            if request.request_id is not None and not self._failed:
                self._enqueue(self.workers["w0"], [request])
        if self.dangers.rich_at_last:
            for name in self.names:
                self.world.credit(name, "1000")
            for scope in self.dangers.budgets:
                self.watch.allow(scope, f"1000/{self.dangers.budgets[scope].partition('/')[2] or 'total'}")
        rng, workers, end = self.rng, list(self.workers), self.clock.at + 86400.0
        while self.clock.at < end and not self._failed:
            awake = self._awake()
            if awake:
                self.baton.resume(rng.choice(awake))
            elif self.bell.rung:
                self._advance(rng.choice(workers))
            elif self.moments and self.moments[-1][0] <= self.clock.at:
                self.moments.pop()[1]()
            else:
                worker = rng.choice(workers)
                if self._only_waits_for_credit() or not self._leap(worker, calmly=True):
                    if not self.baton.paused:
                        return
                    self.clock.at = min(turn.sleeps_until for turn in self.baton.paused)
                    continue
                self._sweep(worker)
        if not self._failed:
            live = [f"{job.id} {job.state} {job.reason}" for job in self.world.live()]
            self.story.wrong.append(f"a day later not all is over: {live}")

    def _thaw(self, name: AccountName) -> None:
        """As a person does: again, while the balance cannot be had."""
        for _ in range(200):
            try:
                thaw(self.world.parts, name)
                return
            except NotSent:
                self.clock.move(1)
        self.story.wrong.append(f"{name} cannot be thawed")

    def _only_waits_for_credit(self) -> bool:
        """Whether every job that is not over has tried in vain for credit since long after peace came, and every other
        one was closed: whoever ended it may have died before."""
        live, store = self.world.live(), self.world.parts.store
        ended = (job.id for job in store.list_jobs(states=list(FINAL_STATES), limit=100_000))
        if any(store.next_due(job_id) is not None for job_id in ended):
            return False
        return all(
            job.wait is not None
            and job.wait.reason in WAITS
            and job.remote is None
            and self.clock.at - max(job.wait.since, self.peace_at) > 3600
            for job in live
        )

    def available(self, name: str) -> Decimal:
        """What the network has for the account, US dollars."""
        account = self.world.network.accounts.of_key(f"nos_{name}")
        assert account is not None
        return Decimal(account.available) / 1000
