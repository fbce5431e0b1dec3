"""What the jobs of an account can still cost, in total, and whose an address is."""

from decimal import Decimal

import pytest

from dispatcher.domain import events as ev
from dispatcher.domain.ids import AccountName, HoldId, IdempotencyKey, JobId, MarketAddress, RemoteAddress
from dispatcher.domain.job import Call, Ending, Job, Quote
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.words import Operation, Reason, State
from dispatcher.ports.store import Exposure, JobStore
from tests.store.records import DAY, T0, account, added, ended, in_store

ADDRESS = RemoteAddress("GWECtAsFvcBZw79Y5uHUpdGxy6LNEQtmFvzZNW9xd8oq")


def told(store: JobStore, name: str = "default") -> tuple[int, str, str, int]:
    found: Exposure = store.exposure(account(name))
    return found.jobs, f"{found.committed:.2f}", f"{found.allowed:.2f}", found.unlimited


def posted(store: JobStore, job: Job, amount: str = "1.25") -> Job:
    """Through all the steps to the network, with `amount` reserved there."""
    quote = Quote(
        market=MarketAddress("m"),
        rate_per_hour=Decimal("2.5"),
        fee_percent=Decimal(10),
        seconds=1800,
        amount=Decimal(amount),
        hold=HoldId("hold"),
    )
    key = IdempotencyKey("key")
    call = Call(
        operation=Operation.POST, ordinal=1, key=key, seconds=1800, amount=Decimal(amount), intended_at=T0
    )
    events: list[ev.Event] = [
        ev.CreditHeld(at=T0, quote=quote),
        ev.Pinned(at=T0, known=False),
        ev.CallIntended(at=T0, call=call),
        ev.Posted(at=T0, key=key, address=ADDRESS, run=None, seconds=1800, amount=Decimal(amount)),
    ]
    for event in events:
        job = in_store(store, job.id, event, T0)
    return job


def test_an_account_without_jobs_risks_nothing(store: JobStore) -> None:
    assert told(store) == (0, "0.00", "0.00", 0)


def test_live_jobs_add_up_by_account(store: JobStore) -> None:
    added(store, 1)
    added(store, 2, policies={"stop": {"max_cost": "2.50"}})
    added(store, 3, account="other", policies={"stop": {"max_cost": "4"}})

    assert told(store) == (2, "0.00", "2.50", 1)
    assert told(store, "other") == (1, "0.00", "4.00", 0)


def test_what_is_posted_is_committed_and_what_is_over_is_not(store: JobStore) -> None:
    job = posted(store, added(store, 1, policies={"extend": {"by": "10m"}}))
    assert told(store) == (1, "1.25", "0.00", 1)

    over = apply(job, ended(T0).model_copy(update={"settled": Decimal("0.3")}))
    claim = store.claim(job.id, now=T0, lease=60)
    assert claim is not None
    store.release(claim, over, [], now=T0, due=None, retention=DAY)
    assert told(store) == (0, "0.00", "0.00", 0)


def test_a_job_is_found_by_its_address_until_it_is_forgotten(store: JobStore) -> None:
    assert store.find_address(ADDRESS) is None
    job = posted(store, added(store, 1))
    assert store.find_address(ADDRESS) == job.id

    in_store(store, job.id, ended(T0), T0)
    assert store.find_address(ADDRESS) == job.id
    store.take_due(now=T0 + DAY + 1, limit=0, grace=1)
    assert store.load(job.id) is None
    assert store.find_address(ADDRESS) is None


@pytest.mark.parametrize("name", ["default", "a:b"])
def test_a_repeated_record_counts_once(store: JobStore, name: str) -> None:
    job = added(store, 1, policies={"stop": {"max_cost": "1"}})
    for _ in range(3):
        in_store(store, JobId(job.id), ev.Waited(at=T0, reason=job.reason), T0)
    assert store.exposure(AccountName("default")).jobs == 1
    assert store.exposure(AccountName(name)).jobs == (1 if name == "default" else 0)


def test_a_job_whose_next_attempt_another_account_pays_moves_there(store: JobStore) -> None:
    place = {"market": "m-two", "account": "spare"}
    policies = {"stop": {"max_cost": "2"}, "retry": {"on": ["failed"], "elsewhere": [place]}}
    job = posted(store, added(store, 1, policies=policies))
    assert (told(store), told(store, "spare")) == ((1, "1.25", "2.00", 0), (0, "0.00", "0.00", 0))
    over = ev.AttemptEnded(
        at=T0,
        attempt=1,
        state=State.FAILED,
        reason=Reason.EXIT_CODE,
        ending=Ending(at=T0),
        settled=Decimal("0.3"),
        why="retry.on failed",
        place=1,
        retry_at=T0 + 30,
    )
    job = in_store(store, job.id, over, T0)
    assert (told(store), told(store, "spare")) == ((0, "0.00", "0.00", 0), (1, "0.30", "2.00", 0))
    assert store.exposed_accounts() == [account("spare")]
    assert store.find_address(ADDRESS) is None
    assert store.load(job.id) == job
