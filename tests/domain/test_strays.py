"""What a job on the network without a record is: the whole table, and that a stop needs proof."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain import events as ev
from dispatcher.domain.definition.stamp import Stamp
from dispatcher.domain.ids import AccountName, RemoteAddress
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.outcome import Outcome
from dispatcher.domain.retrying import ended as attempt_ended
from dispatcher.domain.strays import PATIENCE, Judged, Recorded, Unrecorded, Verdict, judge
from dispatcher.domain.words import Operation, Phase, Reason, State
from tests.domain.made import (
    ADDRESS,
    CID,
    JOB_ID,
    RESULT,
    T0,
    after,
    ended_job,
    extending_job,
    held,
    held_job,
    intended,
    job_in,
    observed,
    ordered_stop,
    over_job,
    pinned_job,
    posted,
    posting_job,
    queued_job,
    running_job,
    stopping_job,
)

STRAY = RemoteAddress("9yB2uVfXcEoWz4hTqRkPnDjM7sGaLt5Hi8KxNmZrUwQp")
FOUND = Unrecorded(
    address=STRAY,
    account=AccountName("default"),
    cid=CID,
    listed_at=T0,
    stamp=Stamp(JOB_ID, 1),
    defined=True,
)
NOW = T0 + 86400
OLDER, YOUNGER = Recorded(alive=True, listed_at=T0 - 10), Recorded(alive=True, listed_at=T0 + 10)


def judged(job: Job | None, recorded: Recorded | None = None, *, now: float = NOW, **found: Any) -> Judged:
    expected = found.pop("expected", False)
    return judge(replace(FOUND, **found), job, recorded, expected=expected, now=now)


@pytest.mark.parametrize(
    ("job", "recorded", "found", "verdict"),
    [
        (None, None, {"stamp": None}, Verdict.FOREIGN),
        (None, None, {"stamp": None, "defined": False}, Verdict.FOREIGN),
        (None, None, {"stamp": None, "defined": False, "listed_at": NOW - 60}, Verdict.WAIT),
        (None, None, {"stamp": None, "defined": False, "listed_at": None}, Verdict.WAIT),
        (None, None, {}, Verdict.SUSPECTED),
        (ended_job(), None, {"account": AccountName("other")}, Verdict.SUSPECTED),
        (ended_job(), None, {"cid": RESULT}, Verdict.SUSPECTED),
        (running_job(), OLDER, {"cid": RESULT}, Verdict.SUSPECTED),
        (posting_job(), None, {}, Verdict.WAKE),
        (posting_job(), None, {"listed_at": NOW}, Verdict.WAKE),
        (apply(posting_job(), ordered_stop()), None, {}, Verdict.WAKE),
        (ended_job(), None, {}, Verdict.ORPHAN),
        (ended_job(), None, {"cid": None}, Verdict.ORPHAN),
        (ended_job(), None, {"address": ADDRESS}, Verdict.ORPHAN),
        (ended_job(), None, {"address": ADDRESS, "stamp": None}, Verdict.ORPHAN),
        (ended_job(), None, {"listed_at": NOW - 10}, Verdict.WAIT),
        (ended_job(), None, {"listed_at": None}, Verdict.WAIT),
        (ended_job(), None, {"expected": True}, Verdict.WAIT),
        (job_in(State.REJECTED), None, {}, Verdict.ORPHAN),
        (running_job(), None, {"address": ADDRESS}, Verdict.WAIT),
        (held_job(), None, {}, Verdict.ORPHAN),
        (pinned_job(), None, {}, Verdict.ORPHAN),
        (pinned_job(), None, {"expected": True}, Verdict.WAIT),
        (running_job(), OLDER, {}, Verdict.DUPLICATE),
        (queued_job(), OLDER, {}, Verdict.DUPLICATE),
        (running_job(), OLDER, {"expected": True}, Verdict.WAIT),
        (running_job(), YOUNGER, {}, Verdict.ADOPT),
        (queued_job(), YOUNGER, {}, Verdict.ADOPT),
        (extending_job(), YOUNGER, {}, Verdict.WAIT),
        (extending_job(), OLDER, {}, Verdict.DUPLICATE),
        (stopping_job(), YOUNGER, {}, Verdict.DUPLICATE),
        (apply(running_job(), ordered_stop()), YOUNGER, {}, Verdict.DUPLICATE),
        (over_job(), YOUNGER, {}, Verdict.DUPLICATE),
        (running_job(), Recorded(alive=False, listed_at=T0 + 10), {}, Verdict.DUPLICATE),
        (running_job(), None, {}, Verdict.WAIT),
        (running_job(), Recorded(alive=True, listed_at=None), {}, Verdict.WAIT),
    ],
)
def test_the_verdict(
    job: Job | None, recorded: Recorded | None, found: dict[str, Any], verdict: Verdict
) -> None:
    assert judged(job, recorded, **found).verdict is verdict


def test_of_two_that_were_listed_in_the_same_second_the_same_one_is_kept_whichever_is_recorded() -> None:
    same = Recorded(alive=True, listed_at=T0)
    job = running_job()
    one = judged(job, same).verdict
    assert job.remote is not None
    other_way = job.model_copy(update={"remote": job.remote.model_copy(update={"address": STRAY})})
    other = judged(other_way, same, address=ADDRESS).verdict
    assert {one, other} == {Verdict.DUPLICATE, Verdict.ADOPT}


@pytest.mark.parametrize("address", [STRAY, ADDRESS])
def test_the_end_of_a_job_gets_time_to_show_on_the_network(address: RemoteAddress) -> None:
    job = ended_job()
    assert job.ending is not None
    found = {"address": address, "listed_at": T0 - 2 * PATIENCE}
    early = judged(job, now=job.ending.at + PATIENCE - 1, **found)
    assert early.verdict is Verdict.WAIT
    assert judged(job, now=job.ending.at + PATIENCE, **found).verdict is Verdict.ORPHAN


@given(
    state=st.sampled_from(State),
    recorded=st.sampled_from([None, OLDER, YOUNGER, Recorded(alive=False, listed_at=T0)]),
    stamped=st.booleans(),
    ours=st.booleans(),
    age=st.sampled_from([None, 0.0, 60.0, 1e5]),
    expected=st.booleans(),
)
def test_nothing_is_stopped_without_proof(
    state: State, recorded: Recorded | None, stamped: bool, ours: bool, age: float | None, expected: bool
) -> None:
    """A stamp of a job that is kept here, on its account, with its definition; not on the way to any record."""
    found = replace(
        FOUND,
        stamp=FOUND.stamp if stamped else None,
        account=FOUND.account if ours else AccountName("other"),
        listed_at=None if age is None else NOW - age,
    )
    job = job_in(state) if stamped else None
    seen = judge(found, job, recorded, expected=expected, now=NOW)
    assert seen.why
    if seen.verdict in (Verdict.ORPHAN, Verdict.DUPLICATE, Verdict.ADOPT):
        assert stamped
        assert ours
        assert not expected
        assert age == 1e5
        assert state is not State.POSTING


def test_a_job_that_was_seen_to_be_over_is_not_what_keeps_its_second_one_alive() -> None:
    job = running_job()
    over = apply(job, observed(job, Phase.DONE, at=T0 + 10, ended_at=T0 + 5))
    assert judged(over, Recorded(alive=True, listed_at=T0 + 10)).verdict is Verdict.DUPLICATE


def retried(*, posted_again: bool) -> Job:
    """Its first attempt, at ADDRESS, was over at T0 + 110; the second one is at another address, or not posted yet."""
    job = over_job(policies={"retry": {"on": ["failed"]}})
    end = Outcome(State.FAILED, Reason.EXIT_CODE, 3)
    job = apply(job, attempt_ended(job, end, T0 + 110))
    if not posted_again:
        return job
    job = after(job, held(job), ev.Pinned(at=T0 + 150, known=True))
    job = apply(job, intended(job, Operation.POST))
    return apply(job, posted(job, at=T0 + 150).model_copy(update={"address": "4" * 44}))


AGAIN = Recorded(alive=True, listed_at=T0 + 150)


@pytest.mark.parametrize(
    ("job", "recorded", "found", "now", "verdict"),
    [
        # The attempt that is known to be over: a list that lags, or it lives all the same. It is never gone on with.
        (retried(posted_again=True), AGAIN, {"address": ADDRESS}, T0 + 200, Verdict.WAIT),
        (retried(posted_again=True), AGAIN, {"address": ADDRESS}, NOW, Verdict.ORPHAN),
        (retried(posted_again=True), AGAIN, {"address": ADDRESS, "stamp": None}, NOW, Verdict.ORPHAN),
        (retried(posted_again=False), None, {"address": ADDRESS}, T0 + 200, Verdict.WAIT),
        (retried(posted_again=False), None, {"address": ADDRESS}, NOW, Verdict.ORPHAN),
        # One that nobody knows, of the time of the first attempt.
        (retried(posted_again=True), AGAIN, {"listed_at": T0 + 20}, NOW, Verdict.DUPLICATE),
        (retried(posted_again=True), AGAIN, {"listed_at": T0 + 20}, T0 + 100, Verdict.WAIT),
        (retried(posted_again=False), None, {"listed_at": T0 + 20}, NOW, Verdict.ORPHAN),
        # A second one of this attempt.
        (retried(posted_again=True), AGAIN, {"listed_at": T0 + 140}, NOW, Verdict.ADOPT),
        (retried(posted_again=True), AGAIN, {"listed_at": T0 + 160}, NOW, Verdict.DUPLICATE),
    ],
)
def test_what_earlier_attempts_left(
    job: Job, recorded: Recorded | None, found: dict[str, Any], now: float, verdict: Verdict
) -> None:
    assert judged(job, recorded, now=now, **found).verdict is verdict


def test_what_an_earlier_attempt_left_on_another_account_is_stopped_there() -> None:
    place = {"market": "nvidia-3060", "account": "spare"}
    job = over_job(policies={"retry": {"on": ["failed"], "elsewhere": [place]}})
    job = apply(job, attempt_ended(job, Outcome(State.FAILED, Reason.EXIT_CODE, 3), T0 + 110))
    job = after(job, held(job), ev.Pinned(at=T0 + 150, known=True))
    job = apply(job, intended(job, Operation.POST))
    job = apply(job, posted(job, at=T0 + 150).model_copy(update={"address": "4" * 44}))
    assert (job.account, judged(job).verdict) == ("spare", Verdict.DUPLICATE)
    assert judged(job, account=AccountName("third")).verdict is Verdict.SUSPECTED
