"""A whole world in one process on a fake clock: engine, memory store, Nosana provider, simulated network.

Time moves only when a test says so, or when nothing is left to do: then it leaps to the next due time.
"""

import itertools
from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from pydantic import SecretStr

from dispatcher.domain.callback import Message
from dispatcher.domain.errors import BrokerUnavailable
from dispatcher.domain.events import Event
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.job import Job
from dispatcher.domain.request import JobRequest
from dispatcher.domain.words import FollowUp
from dispatcher.engine import intake, operate
from dispatcher.engine.advance import advance
from dispatcher.engine.parts import Parts, Timing
from dispatcher.engine.sweep import sweep
from dispatcher.ports.dead import Unreadable
from dispatcher.ports.provider import Provider
from dispatcher.ports.traffic import Traffic
from dispatcher.providers.accounts import Accounts
from dispatcher.providers.disciplined import Apis, Disciplined
from dispatcher.providers.nosana import NosanaProvider
from dispatcher.simulator.network import Network, Options
from dispatcher.simulator.transport import SimulatedTransport
from dispatcher.store.memory import MemoryLedger, MemorySchedules, MemoryStore, MemoryTraffic
from tests.replayed import assert_log_leads_to

START = 1_800_000_000.0
MARKET = "nvidia-3060"  # 0.0436 $/h and 10 % fee: 0.04796 $/h
APIS = Apis(
    "api.test", "pins.test", "gateway.test"
)  # as on the real network, though one host answers for all
ADDRESS = "7AtiXMSH6R1jjBxrcYjehCkkSF7zvYWte63gwEDBcGHq"


UNCHECKED: deque["World"] = deque(maxlen=200)
"""Worlds whose jobs' logs were not held against their records yet; `conftest` does that after each test."""


class FakeClock:
    """Unix seconds that stand still until they are moved."""

    speed = 1.0

    def __init__(self, at: float = START) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    def move(self, seconds: float) -> None:
        self.at += seconds


class BellQueue:
    """Keeps what was rung, for the world to work off."""

    def __init__(self) -> None:
        self.rung: deque[tuple[FollowUp, JobId]] = deque()

    def ring(self, follow_up: FollowUp, job_ids: Sequence[JobId]) -> None:
        self.rung.extend((follow_up, job_id) for job_id in job_ids)


class Receiver:
    """The application's queue: keeps the callbacks that were sent; while `down`, the broker is away."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.down = False

    def send(self, message: Message) -> None:
        if self.down:
            raise BrokerUnavailable("the broker is away")
        self.sent.append(message)


class Recorder:
    """Remembers every event that observers are told."""

    def __init__(self) -> None:
        self.seen: list[tuple[Job, Event]] = []

    def observed(self, job: Job, event: Event) -> None:
        self.seen.append((job, event))


def definition(text: str = "hello", **simulated: Any) -> dict[str, Any]:
    """A job definition; `simulated` says how it runs on the simulated network: `runs_for="25m"`."""
    return {
        "version": "0.1",
        "type": "container",
        "meta": {"trigger": "test", "simulated": {"runs_for": "5m", **simulated}},
        "ops": [{"type": "container/run", "id": "main", "args": {"image": "ubuntu", "cmd": f"echo {text}"}}],
    }


class World:
    """See the module. `accounts` maps account names to credits; their keys on the network are `nos_<name>`.

    `latency`: seconds of the clock that every call to the network takes.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        accounts: dict[str, str] | None = None,
        faults: Any = (),
        options: Options | None = None,
        timing: Timing | None = None,
        requests_per_second: float = 1000.0,
        polls_per_minute: float | None = None,
        latency: float = 0.0,
    ) -> None:
        credits_usd = accounts or {"default": "100"}
        self.clock = FakeClock()
        self.network = Network(
            self.clock.now,
            seed,
            accounts={f"nos_{name}": Decimal(amount) for name, amount in credits_usd.items()},
            ipfs_jwt="test-jwt",
            options=options,
            faults=faults,
        )
        self.keyed = self.network.options.generation == 3
        self.transport = SimulatedTransport(self.network, waited=self.clock.move, latency=latency)
        self.bell, self.recorder, self.receiver = BellQueue(), Recorder(), Receiver()
        self.traffic: Traffic = MemoryTraffic()
        self.requests_per_second, self.polls_per_minute = requests_per_second, polls_per_minute
        numbers = itertools.count(1)
        self.parts = Parts(
            store=MemoryStore(),
            schedules=MemorySchedules(),
            ledger=MemoryLedger(),
            providers=Accounts({AccountName(name): self.provider(name) for name in credits_usd}),
            clock=self.clock,
            waker=self.bell,
            observer=self.recorder,
            callbacks=self.receiver,
            new_id=lambda: JobId(f"job_{next(numbers):024x}"),
            timing=timing or Timing(),
            stamps=lambda _: not self.keyed,
        )
        self._store = self.parts.store
        self.logs_lead_to_records = True
        """False for a world whose records are tampered with behind the engine's back."""
        UNCHECKED.append(self)

    def provider(self, name: str) -> Disciplined:
        """An account of the network, its calls held back as in a real worker."""
        return Disciplined(
            self.undisciplined(name),
            self.traffic,
            self.clock,
            apis=APIS,
            requests_per_second=self.requests_per_second,
            polls_per_minute=self.polls_per_minute,
        )

    def undisciplined(self, name: str) -> Provider:
        return NosanaProvider(
            name=AccountName(name),
            api_key=SecretStr(f"nos_{name}"),
            api_url="http://network.test",
            ipfs_api_url="http://network.test",
            ipfs_gateway_url="http://network.test/ipfs/",
            ipfs_jwt=SecretStr("test-jwt"),
            transport=self.transport,
            idempotency_keys=self.keyed,
        )

    def enqueue(self, definition_: dict[str, Any] | None = None, **fields: Any) -> JobId:
        """Enqueue one request; a market and a timeout of 10 minutes unless said otherwise."""
        asked = {"market": MARKET, "timeout": "10m", **fields}
        request = JobRequest(definition=definition_ or definition(), **asked)
        return intake.enqueue(self.parts, [request])[0].id

    def job(self, job_id: JobId) -> Job:
        job = self.parts.store.load(job_id)
        assert job is not None
        return job

    def stop(self, job_id: JobId) -> None:
        operate.stop(self.parts, job_id, by="tester")

    def extend(self, job_id: JobId, seconds: int) -> None:
        operate.extend(self.parts, job_id, seconds, by="tester")

    def credit(self, name: str, dollars: str) -> None:
        """Credit arrives on the account."""
        account = self.network.accounts.of_key(f"nos_{name}")
        assert account is not None
        self.network.credit(account, int(Decimal(dollars) * 1000))

    def work(self) -> None:
        """Do all that is due now, and what that rings for."""
        while True:
            sweep(self.parts)
            if not self.bell.rung:
                return
            while self.bell.rung:
                _, job_id = self.bell.rung.popleft()
                advance(self.parts, job_id)

    def leap(self) -> bool:
        """Move to the next due time; False if nothing is due any more."""
        due = self.parts.store.earliest_due()
        if due is None:
            return False
        self.clock.at = max(self.clock.at, due)
        return True

    def run_for(self, seconds: float) -> None:
        """Work through the next `seconds`, leaping from due time to due time."""
        end = self.clock.at + seconds
        self.work()
        while (due := self._next_stop()) is not None and due <= end:
            self.clock.at = max(self.clock.at, due)
            self.work()
        self.clock.at = max(self.clock.at, end)
        self.work()

    def _next_stop(self) -> float | None:
        """The next due time, or the next look at the balance if a job waits for money."""
        due = self.parts.store.earliest_due()
        if due is not None and self.parts.store.waiting_lines():
            return min(due, self.clock.at + self.parts.timing.credit_watch)
        return due

    def run(self, *, at_most: float = 7 * 86400.0) -> None:
        """Work until every job is over; fails after `at_most` seconds of the clock."""
        end = self.clock.at + at_most
        self.work()
        while self.leap():
            assert self.clock.at <= end, [f"{job.id} {job.state} {job.reason}" for job in self.live()]
            self.work()
        if self in UNCHECKED:  # of thousands of worlds in one test, each is done with here
            UNCHECKED.remove(self)
            self.check_logs()

    def live(self) -> list[Job]:
        return [job for job in self.parts.store.list_jobs(limit=10_000) if not job.state.is_final]

    def kinds(self, job_id: JobId) -> list[str]:
        """The kinds of the job's logged events, in order."""
        return [event.kind for event in self.parts.store.events(job_id)]

    def check_log(self, job_id: JobId) -> None:
        """The log alone leads to the job's record, but for the counters that unlogged looks move."""
        assert_log_leads_to(self.job(job_id), self.parts.store.events(job_id))

    def check_logs(self) -> None:
        """The same for every job whose record and log can be read."""
        if not self.logs_lead_to_records:
            return
        # Of the store itself: what a test has put around it counts calls, or dies at one.
        for listed in self._store.listing(limit=10_000):
            log = self._store.log(listed.id)
            if listed.job is not None and not any(isinstance(entry, Unreadable) for entry in log):
                assert_log_leads_to(listed.job, log)
