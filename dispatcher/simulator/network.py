"""The core of the simulated network: what its calls do, with no word about HTTP."""

import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat, starmap
from typing import Any, Literal

from dispatcher.simulator import money
from dispatcher.simulator.accounts import Account, Accounts
from dispatcher.simulator.behaviour import Defaults
from dispatcher.simulator.bodies import Limits, Listing
from dispatcher.simulator.conditions import Conditions
from dispatcher.simulator.fault_plan import parse_plan
from dispatcher.simulator.faults import Faults
from dispatcher.simulator.hosts import Pool
from dispatcher.simulator.idempotency import Keys
from dispatcher.simulator.identifiers import Mint
from dispatcher.simulator.ipfs import Store
from dispatcher.simulator.jobs import End, Job, Reservation, State
from dispatcher.simulator.ledger import Ledger
from dispatcher.simulator.markets import Market, default_markets
from dispatcher.simulator.messages import refuse
from dispatcher.simulator.money import Rate
from dispatcher.simulator.records import job_record
from dispatcher.simulator.timeline import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Choices where networks differ. Durations in simulated seconds.

    `generation` of the API: 2 knows no idempotency keys, no batch routes and no `outcome`.
    `visible_after`: how long `jobs.get` says 404 after listing. `filled_after`: how long a record lacks
    definition, type and price. `index_lags`: how long a record does not show what happened to its job.
    `definition_as_text`: the definition as a JSON string in the record.
    `null_result`: what the record shows as `ipfsResult` while there is none. `defaults`: what jobs do that do
    not say. `calls_kept`: how many calls the ledger keeps in full. `speed`: simulated seconds per real one,
    only to be told to who asks. `negative_credit`: how the error text shows an account below zero.
    """

    generation: Literal[2, 3] = 3
    visible_after: float = 0.0
    filled_after: float = 0.0
    index_lags: float = 0.0
    definition_as_text: bool = False
    null_result: str | None = None
    defaults: Defaults = field(default_factory=Defaults)
    limits: Limits = field(default_factory=lambda: Limits(60, 360_000))
    calls_kept: int = 100_000
    speed: float = 1.0
    negative_credit: money.Negative = "$-5.000"


class Network:
    """Markets, hosts, jobs, credits, pins and the ledger, on one clock.

    `clock` gives unix seconds of simulated time; every method first lets happen what happens up to then. All
    randomness comes from `seed`: the same calls at the same times give the same answers, byte for byte.
    `accounts` maps API keys to credits in US dollars. `markets` defaults to `default_markets()`; `hosts`
    overrides their numbers of hosts, one number for all or by address or slug. `faults` is a fault plan (see
    `fault_plan`).

    `lock` makes it safe to be called by several threads; `app.App` holds it during a call.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        seed: int = 0,
        *,
        accounts: Mapping[str, money.Dollars],
        ipfs_jwt: str,
        markets: Sequence[Market] | None = None,
        hosts: int | Mapping[str, int] | None = None,
        options: Options | None = None,
        faults: Any = (),
    ) -> None:
        self.clock = clock
        self.seed = seed
        self.options = options or Options()
        self.ipfs_jwt = ipfs_jwt
        self.lock = threading.RLock()
        self.mint = Mint(random.Random(seed))  # noqa: S311 (repeatable on purpose, guards nothing)
        self.accounts = Accounts(accounts, starmap(self.mint.address, repeat(())))
        self.ipfs = Store()
        self.keys = Keys()
        self.ledger = Ledger(self.options.calls_kept)
        self.faults = Faults(parse_plan(list(faults) if isinstance(faults, tuple) else faults), seed)
        self.jobs: dict[str, Job] = {}
        self.markets = {
            market.address: market for market in (default_markets() if markets is None else markets)
        }
        self.timeline = Timeline(clock(), self.ipfs.definition, self.options.defaults)
        self._pools: dict[str, Pool] = {}
        self._usual = dict(self.markets)
        self._usual_hosts: dict[str, int] = {}
        for market in self.markets.values():
            self._usual_hosts[market.address] = _hosts_of(market, hosts)
            self._pools[market.address] = Pool(market.address, self._usual_hosts[market.address], seed)
            self.timeline.add_pool(market.address, self._pools[market.address])

    def advance(self) -> float:
        """Lets happen all that happens up to the clock's time, and gives that time."""
        return self.timeline.advance(self.clock())

    def hosts(self, market: str) -> list[str]:
        """The addresses of a market's hosts."""
        return self._pools[market].hosts()

    def market(self, address_or_slug: str) -> Market | None:
        """A market by its address or its slug, at its present price."""
        by_slug = (
            market for market in self.markets.values() if market.document.get("slug") == address_or_slug
        )
        return self.markets.get(address_or_slug) or next(by_slug, None)

    def change_market(self, address: str, conditions: Conditions) -> None:
        """What the market is like from now on; what `conditions` leave out is as it was at first."""
        self.advance()
        hosts = self._usual_hosts[address] if conditions.hosts is None else conditions.hosts
        self.markets[address] = self._usual[address].at(conditions.usd_per_hour)
        self.timeline.change(address, conditions, hosts)

    # Jobs

    def job(self, address: str) -> Job | None:
        """A job by its address, as the chain knows it (the index may show it later)."""
        return self.jobs.get(address)

    def record(self, address: str) -> dict[str, Any] | None:
        """The job record; None if the index has none: unknown, not yet visible, or delisted."""
        now = self.advance()
        job, seen = self.jobs.get(address), now - self.options.index_lags
        if job is None or now < job.visible_at or (job.end is End.DELISTED and job.delisted_at <= seen):
            return None
        return job_record(
            job,
            self.ipfs.definition(job.cid),
            seen=seen,
            filled=now >= job.listed_at + self.options.filled_after,
            result_cid=self.ipfs.result_cid(job) if job.uploaded(seen) else self.options.null_result,
            as_text=self.options.definition_as_text,
        )

    def list_jobs(
        self,
        account: Account,
        listings: Sequence[Listing],
        *,
        key: str | None = None,
        batch: bool = False,
        late: float = 0.0,
        quits_after: float | None = None,
    ) -> list[Job]:
        """Lists jobs and reserves their full prices: all of them or, with a Refusal (400, 402, 403), none."""
        now = self.advance()
        priced = [(listing, *self._priced(listing.market)) for listing in listings]
        self._require(account, sum(rate.price(listing.timeout) for listing, _, rate in priced))
        jobs = []
        for listing, market, rate in priced:
            job = Job(
                address=self.mint.address(),
                run=self.mint.address(),
                account=account,
                cid=listing.cid,
                market=market,
                rate=rate,
                timeout=listing.timeout,
                listed_at=now,
                visible_at=now + max(late, self.options.visible_after),
                wanted_node=listing.node,
                key=key,
                quits_after=quits_after,
            )
            self._reserve(job, "list", listing.timeout, key)
            self.jobs[job.address] = job
            self.timeline.enqueue(job)
            self.ledger.posted(job, self.ipfs.definition(job.cid), batch=batch, at=now)
            jobs.append(job)
        return jobs

    def owned(self, account: Account, address: str) -> Job:
        """A job of this account. Raises 404 if there is none, 403 if it is somebody else's."""
        self.advance()
        job = self.jobs.get(address)
        if job is None or job.end is End.DELISTED:
            raise refuse(404, "Job not found")
        if job.account is not account:
            raise refuse(403, "Not the owner of this job")
        return job

    def extend_jobs(
        self,
        account: Account,
        extensions: Sequence[tuple[Job, int]],
        *,
        key: str | None = None,
        batch: bool = False,
    ) -> list[Reservation | None]:
        """Adds seconds to the timeouts of jobs, queued or running, and reserves the price: all or, with 402,
        none. A job that is over is left alone: None."""
        now = self.advance()
        self._require(account, sum(job.rate.price(seconds) for job, seconds in extensions if not job.over))
        made: list[Reservation | None] = []
        for job, seconds in extensions:
            if job.over:
                made.append(None)
                continue
            job.timeout += seconds
            made.append(self._reserve(job, "extend", seconds, key))
            self.timeline.reschedule(job)
            self.ledger.extended(job, key, batch=batch, at=now)
        return made

    def stop_job(self, job: Job) -> str:
        """Takes a queued job off the queue or ends a running one: `delisted`, `ended` or `already_terminal`."""
        now = self.advance()
        if job.over:
            return "already_terminal"
        job.stop_asked_at = now
        if job.state is State.QUEUED:
            self.timeline.delist(job)
            return "delisted"
        self.timeline.stop(job)
        return "ended"

    def quit_host(self, job: Job) -> bool:
        """The host of a running job quits; False if no host has it."""
        self.advance()
        if job.state is not State.RUNNING:
            return False
        self.timeline.stop(job, End.HOST_QUIT)
        return True

    # Credits

    def credit(self, account: Account, amount: int) -> None:
        """Credit arrives, or is clawed back: thousandths of a dollar, maybe negative."""
        self.advance()
        account.assigned += amount

    def _require(self, account: Account, amount: int) -> None:
        if amount > account.available:
            available = money.text(account.available, self.options.negative_credit)
            required = money.text(amount)
            raise refuse(402, f"Insufficient credits. Available: {available}, Required: {required}")

    def _priced(self, address: str) -> tuple[Market, Rate]:
        market = self.markets.get(address)
        if market is None:
            raise refuse(400, "Market not found")
        rate = market.rate
        if rate is None:
            raise refuse(403, "Market does not accept credits")
        return market, rate

    def _reserve(self, job: Job, kind: str, seconds: int, key: str | None) -> Reservation:
        amount = job.rate.price(seconds)
        reservation = Reservation(self.mint.reservation(), kind, self.timeline.now, seconds, amount, key)
        job.reservations.append(reservation)
        job.account.reserve(amount)
        return reservation

    def __iter__(self) -> Iterator[Job]:
        return iter(self.jobs.values())


def _hosts_of(market: Market, hosts: int | Mapping[str, int] | None) -> int:
    if hosts is None:
        return market.hosts
    if isinstance(hosts, int):
        return hosts
    return hosts.get(market.address, hosts.get(str(market.document.get("slug")), market.hosts))
