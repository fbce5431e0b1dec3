"""How a post is looked for in the network's list: what is asked, and which lists say nothing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dispatcher.domain import events as ev
from dispatcher.domain.cid import Cid
from dispatcher.domain.errors import NotSent
from dispatcher.domain.ids import MarketAddress, ProjectAddress, RemoteAddress
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.words import Phase
from dispatcher.engine.finding import find
from dispatcher.engine.money import refresh_balance
from dispatcher.ports.provider import Capabilities, ListedJob
from tests.engine.test_unkeyed import DEFAULT, strike, unkeyed
from tests.world import ADDRESS, START, World, definition

OTHER = Cid("QmbJWAESqCsf4RFCqEY7jecCashj8usXiyDNfKtZCwwzGb")


def listed(number: int, started_at: float | None, **fields: Any) -> ListedJob:
    known: dict[str, Any] = {
        "address": RemoteAddress(f"job {number}"),
        "cid": OTHER,
        "market": MarketAddress(ADDRESS),
        "phase": Phase.QUEUED if started_at is None else Phase.RUNNING,
        "listed_at": None,
        "timeout": 600,
        "started_at": started_at,
        "ended_at": None,
    }
    return ListedJob(**{**known, **fields})


class Lists:
    """An account's provider that can be asked for lists alone. `pages` answers by phase and number of the page."""

    capabilities = Capabilities(idempotency_keys=False, pins=True, extends=True, finds=True)
    project = ProjectAddress(ADDRESS)

    def __init__(self, pages: Callable[[Phase | None, int], list[ListedJob]]) -> None:
        self.asked: list[tuple[Phase | None, Any, int, int]] = []
        self._pages = pages

    def account(self, _: Any) -> "Lists":
        return self

    def list_jobs(
        self, *, phase: Phase | None = None, market: Any = None, limit: int = 50, offset: int = 0
    ) -> tuple[ListedJob, ...]:
        self.asked.append((phase, market, limit, offset))
        return tuple(self._pages(phase, offset // 50))


def in_doubt() -> tuple[World, Job]:
    world = unkeyed(faults=strike("jobs.list", "cut"))
    job_id = world.enqueue(definition())
    world.work()
    return world, world.job(job_id)


def looked(pages: Callable[[Phase | None, int], list[ListedJob]]) -> tuple[ev.Event, Lists, Job]:
    world, job = in_doubt()
    lists = Lists(pages)
    return find(replace(world.parts, providers=lists), job), lists, job  # type: ignore[arg-type]


def test_the_queue_is_asked_for_first_and_then_what_started_until_before_the_post() -> None:
    old = [listed(n, START - 601 - n) for n in range(50)]
    event, lists, job = looked(lambda phase, page: [] if phase else old)
    assert event == ev.CallSought(at=START, key=job.call.key, as_of=START)  # type: ignore[union-attr]
    market = job.quote.market  # type: ignore[union-attr]
    assert lists.asked == [(Phase.QUEUED, market, 50, 0), (None, market, 50, 0)]


def test_four_pages_are_read_and_no_more() -> None:
    busy = [listed(n, START + 1000 - n) for n in range(500)]
    event, lists, _ = looked(lambda phase, page: [] if phase else busy[50 * page : 50 * page + 50])
    assert isinstance(event, ev.CallSought)
    assert event.error == "the account has more than 200 jobs to look through"
    assert [offset for phase, _, _, offset in lists.asked if phase is None] == [0, 50, 100, 150]


def test_it_is_found_on_any_page() -> None:
    world, job = in_doubt()

    def pages(phase: Phase | None, page: int) -> list[ListedJob]:
        rows = [listed(50 * page + n, None) for n in range(50)]
        return [*rows[:49], listed(999, None, cid=job.cid)] if phase is Phase.QUEUED and page == 2 else rows

    event = find(replace(world.parts, providers=Lists(pages)), job)  # type: ignore[arg-type]
    assert isinstance(event, ev.PostFound)
    assert (event.address, event.seconds, event.by) == ("job 999", 600, "search")


@pytest.mark.parametrize(
    ("queued", "started", "said"),
    [
        (lambda page: [listed(n, None) for n in range(50)], [], "changed while it was read"),
        (lambda page: [listed(1, None, cid=None)], [], "without the CID"),
        (lambda page: [], [listed(1, START, cid=None)], "without the CID"),
        (lambda page: [], [listed(1, START - 700), listed(2, START)], "not in the order"),
        (lambda page: [], [listed(1, None), listed(2, START)], "not in the order"),
    ],
    ids=["a job twice", "queued without a CID", "started without a CID", "out of order", "queue first"],
)
def test_a_list_that_may_hide_the_job_says_nothing(
    queued: Callable[[int], list[ListedJob]], started: list[ListedJob], said: str
) -> None:
    event, _, _ = looked(lambda phase, page: queued(page) if phase else started)
    assert isinstance(event, ev.CallSought)
    assert said in (event.error or "")
    assert not event.hopeless


def test_an_old_job_without_a_cid_is_no_matter() -> None:
    event, _, _ = looked(lambda phase, page: [] if phase else [listed(1, START - 601, cid=None)])
    assert isinstance(event, ev.CallSought)
    assert event.error is None


def test_the_hold_of_a_post_that_is_found_is_the_networks_from_then_on() -> None:
    world = unkeyed(faults=strike("jobs.list", "lose_answer"))
    job_id = world.enqueue(definition(runs_for="2h"), timeout="3h")
    world.run_for(20)
    job = world.job(job_id)
    assert job.remote is not None
    seen = refresh_balance(world.parts, DEFAULT)
    assert seen.unseen == 0
    assert seen.held == job.spend.posted == seen.balance.reserved  # type: ignore[union-attr]
    assert seen.available == 100 - job.spend.posted


class Tale:
    """Looks of one world at lists that stay empty; `jobs` are in doubt. The clock stands unless it is moved."""

    def __init__(self, jobs: int = 1) -> None:
        self.world = unkeyed(faults=strike("jobs.list", "cut", tuple(range(1, jobs + 1))))
        ids = [self.world.enqueue(definition(str(n))) for n in range(jobs)]
        self.world.work()
        self.jobs = [self.world.job(job_id) for job_id in ids]
        self.held_back = 0
        self.lists = Lists(self._page)
        self.parts = replace(self.world.parts, providers=self.lists)  # type: ignore[arg-type]

    def _page(self, phase: Phase | None, _: int) -> list[ListedJob]:
        if len(self.lists.asked) == self.held_back:
            raise NotSent("list_jobs", "held back", retry_after=2)
        self.world.clock.move(1)  # what an answer takes
        return []

    def look(self, number: int = 0, *, after: float = 10) -> ev.CallSought:
        self.world.clock.move(after)
        event = find(self.parts, self.jobs[number])
        assert isinstance(event, ev.CallSought)
        self.jobs[number] = apply(self.jobs[number], event)
        return event

    @property
    def asked(self) -> list[Phase | None]:
        phases = [phase for phase, *_ in self.lists.asked]
        self.lists.asked.clear()
        return phases


BOTH = [Phase.QUEUED, None]


def test_jobs_in_doubt_share_what_is_read() -> None:
    tale = Tale(jobs=3)
    first, second = tale.look(0), tale.look(1)
    assert tale.asked == BOTH
    assert first.as_of == second.as_of == START + 10  # when the first of them asked
    assert tale.look(2, after=60).as_of == tale.world.clock.at - 2
    assert tale.asked == BOTH  # a minute later that is too old


def test_a_look_does_not_count_twice() -> None:
    tale = Tale()
    tale.look()
    assert tale.asked == BOTH
    again = tale.look(after=1)
    assert tale.asked == BOTH
    search = tale.jobs[0].call.search  # type: ignore[union-attr]
    assert search is not None
    assert (search.looks, search.looked_at) == (2, again.as_of)


def test_a_look_that_is_held_back_goes_on_where_it_was() -> None:
    tale = Tale()
    tale.held_back = 2
    held = tale.look()
    assert (held.error, held.held_until) == ("list_jobs: held back", held.at + 2)
    search = tale.jobs[0].call.search  # type: ignore[union-attr]
    assert search is not None
    assert (search.looks, search.failed, search.held_until) == (0, 0, held.held_until)
    assert tale.asked == BOTH
    tale.held_back = 0
    assert tale.look(after=2).as_of == START + 10
    assert tale.asked == [None]


def test_what_started_is_never_older_than_the_queue() -> None:
    """A job that a host took in between would be in neither."""
    tale = Tale(jobs=2)
    tale.look(0)
    del tale.parts.lists._known[next(key for key in tale.parts.lists._known if key[2] is Phase.QUEUED)]
    assert tale.asked == BOTH
    tale.look(1)
    assert tale.asked == BOTH


def test_pages_that_lie_too_far_apart_tell_nothing() -> None:
    world, job = in_doubt()

    def pages(phase: Phase | None, page: int) -> list[ListedJob]:
        world.clock.move(20)
        return [listed(50 * page + n, None) for n in range(50)]

    event = find(replace(world.parts, providers=Lists(pages)), job)  # type: ignore[arg-type]
    assert isinstance(event, ev.CallSought)
    assert event.error == "the pages of the network's list were not read in time"
