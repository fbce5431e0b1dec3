"""The verdict finds what it looks for: each case is a clean pair of books with one thing wrong."""

import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from dispatcher.domain.cid import Cid
from dispatcher.domain.ids import AccountName, JobId, RemoteAddress
from dispatcher.domain.job import Attempt, Job, Remote, Spend
from dispatcher.domain.request import JobSpec
from dispatcher.domain.words import Reason, State
from tests.chaos.verdict import BAD, judge

Books = dict[str, Any]


def books() -> Books:
    """One job with a budget and a stop, that was stopped by an operator 10 s after he asked."""
    spec = JobSpec.model_validate(
        {
            "market": "m",
            "timeout": "30m",
            "request_id": "r",
            "policies": {"stop": {"after": "20m", "max_cost": "1"}},
        }
    )
    job = Job(
        id=JobId("job_1"),
        spec=spec,
        fingerprint="",
        cid=Cid("Qm"),
        state=State.STOPPED,
        reason=Reason.OPERATOR,
        created_at=0,
        updated_at=700,
        spend=Spend(posted=Decimal(1), settled=Decimal("0.5")),
    )
    remote = {
        "job": "address",
        "idempotency_key": "job_1:post:1:1",
        "posted_at": 50,
        "started_at": 100,
        "ended_at": 610,
        "stop_asked_at": 610,
        "how": "stopped",
        "timeout": 1800,
        "reserved": 1,
        "settled": 0.5,
    }
    account = {"name": "a", "assigned": 10, "reserved": 0, "settled": 0.5}
    ledger = {
        "jobs": [remote],
        "accounts": [account],
        "duplicate_posts": 0,
        "duplicate_extends": 0,
        "duplicates": [],
    }
    return {
        "request_ids": ["r"],
        "accepted": {"r": "job_1"},
        "records": {"job_1": job},
        "ledger": ledger,
        "stops": {"job_1": 600.0},
    }


def figures(books: Books, tolerance: float = 30) -> dict[str, Any]:
    found = judge(**books, tolerance=tolerance)
    return {name: value for name in BAD if name != "holds_left_usd" and (value := getattr(found, name))}


def remote(**changed: Any) -> Callable[[Books], None]:
    return lambda books: books["ledger"]["jobs"][0].update(changed)


def record(**changed: Any) -> Callable[[Books], None]:
    return lambda books: books["records"].update(job_1=books["records"]["job_1"].model_copy(update=changed))


def unposted(books: Books) -> None:
    books["ledger"]["jobs"] = []
    record(state=State.COMPLETED, reason=Reason.FINISHED)(books)


def posted_twice(books: Books) -> None:
    books["ledger"]["jobs"].append(copy.deepcopy(books["ledger"]["jobs"][0]))


def two_jobs_for_one_request(books: Books) -> None:
    posted_twice(books)
    books["ledger"]["jobs"][1]["idempotency_key"] = "job_2:post:1:1"
    books["records"]["job_2"] = books["records"]["job_1"].model_copy(update={"id": JobId("job_2")})


def attempts(books: Books, *, posted_at: float, known: bool = True) -> None:
    """A first attempt whose host quit after 10 s, at 60; the job was listed again at `posted_at`."""
    first, second = (copy.deepcopy(books["ledger"]["jobs"][0]) for _ in range(2))
    first |= {"job": "first", "started_at": 50, "ended_at": 60, "how": "host quit", "settled": 0}
    second |= {"idempotency_key": "job_1:post:2:1", "posted_at": posted_at}
    books["ledger"]["jobs"] = [first, second]
    made = Attempt(
        number=1,
        market="m",
        account=AccountName("default"),
        address=RemoteAddress("first"),
        node=None,
        posted_at=50,
        started_at=50,
        ended_at=60,
        state=State.FAILED,
        reason=Reason.HOST_QUIT,
        exit_code=None,
        detail="",
        cost=Decimal(0),
        extends=0,
    )
    remote = Remote(address=RemoteAddress("address"), posted_at=70, timeout=1800, looked_at=70, changed_at=70)
    record(earlier=(made,) if known else (), remote=remote)(books)


def test_a_second_attempt_is_no_duplicate_unless_the_first_lived_on_or_nobody_knows_of_it() -> None:
    for posted_at, known, wrong in ((70, True, {}), (59, True, 1), (70, False, 1)):
        tried = books()
        attempts(tried, posted_at=posted_at, known=known)
        assert figures(tried) == (wrong and {"duplicate_posts": wrong})


def test_clean_books_have_nothing_wrong() -> None:
    assert figures(books()) == {}
    assert judge(**books(), tolerance=30).ended == 1
    assert judge(**books(), tolerance=30).latest_stop == 10


@pytest.mark.parametrize(
    ("spoil", "wrong"),
    [
        (lambda books: books["accepted"].clear(), {"lost": 1}),
        (lambda books: books["request_ids"].append("s"), {"lost": 1}),
        (lambda books: books["records"].clear(), {"lost": 2}),
        (record(state=State.RUNNING, reason=Reason.RUNNING), {"lost": 1}),
        (unposted, {"lost": 1}),
        (lambda books: books["ledger"].update(duplicate_posts=1), {"duplicate_posts": 1}),
        (lambda books: books["ledger"].update(duplicate_extends=2), {"duplicate_extends": 2}),
        (posted_twice, {"duplicate_posts": 1}),
        (two_jobs_for_one_request, {"duplicate_posts": 1}),
        (remote(how=None, ended_at=None), {"ran_after_stop": 1}),
        (record(updated_at=600), {"ran_after_stop": 1}),
        (lambda books: books["stops"].update(job_1=570.0), {"ran_after_stop": 1}),
        (remote(started_at=-660), {"ran_after_stop": 1}),
        (remote(settled=1.25), {"overspend_usd": Decimal("0.25")}),
        (
            lambda books: books["ledger"]["accounts"][0].update(settled=10.5),
            {"overspend_usd": Decimal("0.5")},
        ),
    ],
)
def test_what_is_wrong_is_found(spoil: Callable[[Books], None], wrong: dict[str, Any]) -> None:
    spoiled = books()
    spoil(spoiled)
    assert figures(spoiled) == wrong


def test_a_job_stopped_before_it_was_posted_is_not_lost() -> None:
    stopped = books()
    stopped["ledger"]["jobs"] = []
    assert figures(stopped) == {}
