"""When things fall due: ladders, looks, stops, and extensions whose margin never erodes."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain import events as ev
from dispatcher.domain.actions import Begin, Look, OrderStop, Send, Wait
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.planner import agenda, plan
from dispatcher.domain.rules.pace import call_retry, ladder
from dispatcher.domain.rules.stopping import STOP_REPEAT
from dispatcher.domain.words import Operation, Phase, Reason
from tests.domain.made import (
    RATE,
    RESULT,
    T0,
    after,
    confirmed,
    extended,
    intended,
    new_job,
    observed,
    ordered_stop,
    posting_job,
    queued_job,
    refused,
    running_job,
    short,
    stopping_job,
    waited,
)

EXTEND = {"extend": {"by": "10m"}}  # margin 60 s


def due(job: Job, rule: str) -> float:
    """Seconds after T0 at which `rule` falls due."""
    return {due.rule: due.at - T0 for due in agenda(job)}[rule]


@given(st.integers(0, 10**6), st.floats(0.1, 100), st.floats(0.1, 1000))
def test_a_ladder_doubles_up_to_its_top_and_is_the_same_for_the_same_job(
    tries: int, first: float, longest: float
) -> None:
    job = new_job()
    seconds = ladder(job, tries, first, longest)
    straight = min(first * 2 ** min(max(tries - 1, 0), 16), longest)
    assert 0.85 * straight <= seconds <= 1.15 * straight
    assert seconds == ladder(job, tries, first, longest)


def test_jobs_do_not_march_in_step() -> None:
    jobs = [new_job().model_copy(update={"id": f"job_{n}"}) for n in range(50)]
    assert len({ladder(job, 1, 30, 600) for job in jobs}) == 50


@pytest.mark.parametrize(
    ("tries", "retry_after", "left", "at_least", "at_most"),
    [
        (1, None, None, 1.7, 2.3),
        (9, None, None, 51, 69),
        (9, None, 50, 10, 10),
        (9, None, 2, 1, 1),
        (9, None, 0, 51, 69),
        (9, None, -5, 51, 69),
        (1, None, 1000, 1.7, 2.3),
        (9, 17, 50, 17, 17),  # the network's own wish
        (1, 0, None, 0.5, 0.5),
    ],
)
def test_when_an_undecided_call_is_sent_again(
    tries: int, retry_after: float | None, left: float | None, at_least: float, at_most: float
) -> None:
    assert at_least <= call_retry(new_job(), tries, retry_after, left) <= at_most


def test_a_stop_is_sent_again_sooner_since_its_job_is_paid() -> None:
    job = stopping_job()
    assert job.call is not None
    assert 12.75 <= call_retry(job, 9, None, None) <= 17.25


def test_an_extension_that_is_short_is_tried_several_times_within_the_margin() -> None:
    job = running_job(policies=EXTEND)
    extending = apply(job, intended(job, Operation.EXTEND, 600))
    for waiting in (
        apply(extending, short(extending, at=T0 + 1740)),
        apply(job, waited(Reason.AWAITING_CREDIT, at=T0 + 1740)),
        apply(job, waited(Reason.AWAITING_NETWORK, at=T0 + 1740)),
    ):
        assert due(waiting, "policy_extend") == 1747.5
        woken = apply(waiting, ev.Woken(at=T0 + 1741, by="credit"))
        assert plan(woken, T0 + 1741).action == Begin(Operation.EXTEND, 600)


def test_after_the_network_said_that_the_job_is_over_it_is_not_extended_again() -> None:
    job = apply(running_job(policies=EXTEND), ev.Looked(at=T0 + 1735))
    job = apply(job, intended(job, Operation.EXTEND, 600, at=T0 + 1740))
    job = apply(job, extended(job, at=T0 + 1740, landed=False))
    assert "policy_extend" not in {item.rule for item in agenda(job)}
    assert due(job, "poll") <= 1770
    alive = apply(job, observed(job, Phase.RUNNING, at=T0 + 1750, timeout=1801))
    assert due(alive, "policy_extend") == 1741


@pytest.mark.parametrize("latency", [0.0, 5.0, 29.0])
def test_the_margin_never_erodes(latency: float) -> None:
    """A thousand extensions, each answered late: the last is asked for as early as the first."""
    job = running_job(timeout="10m", policies=EXTEND)
    remote_deadline, now = T0 + 600.0, T0
    margins = []
    while job.extends < 1000:
        decision = plan(job, now)
        match decision.action:
            case Wait(until):
                now = until
            case Begin(Operation.EXTEND, seconds):
                margins.append(remote_deadline - now)
                job = apply(job, intended(job, Operation.EXTEND, seconds, at=now))
            case Send():
                now += latency
                job = apply(job, extended(job, at=now))
                remote_deadline += 600
            case Look():
                now += latency
                job = apply(job, ev.Looked(at=now))
            case action:
                pytest.fail(f"{action} is not expected")
    # A look that is under way when the time comes delays the extension by its own latency, and no more.
    assert max(margins) == 60
    assert min(margins) >= 60 - latency
    assert margins[-1] >= 60 - latency
    if latency == 0:
        assert set(margins) == {60}


def test_the_deadline_is_the_networks_even_if_it_differs_from_what_was_asked_for() -> None:
    job = running_job(policies=EXTEND)
    job = apply(job, observed(job, Phase.RUNNING, at=T0 + 30, started_at=T0 + 7, timeout=1700))
    assert due(job, "policy_extend") == 7 + 1700 - 60


@pytest.mark.parametrize("by", ["10m", "20m", "1h", "2d"])
def test_an_extension_waits_for_the_margin_before_the_deadline(by: str) -> None:
    policy = running_job(policies={"extend": {"by": by}}).spec.policies.extend
    assert policy is not None
    job = running_job(policies={"extend": {"by": by}})
    assert due(job, "policy_extend") == 1800 - policy.margin_seconds()


def test_after_the_network_refused_one_no_more_extensions_by_policy() -> None:
    job = running_job(policies=EXTEND)
    job = apply(job, intended(job, Operation.EXTEND, 600))
    job = apply(job, refused(job))
    assert "policy_extend" not in {item.rule for item in agenda(job)}


def looks(job: Job, until: float) -> list[float]:
    """When the network is asked, in seconds after T0, if nothing changes and every answer comes at once."""
    found: list[float] = []
    while True:
        decision = plan(job, T0 + (found[-1] if found else 0))
        assert isinstance(decision.action, Wait)
        if decision.action.until > T0 + until or decision.rule != "poll":
            return found
        found.append(decision.action.until - T0)
        job = apply(job, ev.Looked(at=T0 + found[-1]))


def test_looks_grow_rarer_and_then_denser_towards_the_deadline() -> None:
    found = looks(running_job(), 2400)
    gaps = [later - earlier for earlier, later in pairwise([0, *found])]
    assert gaps[:4] == [pytest.approx(seconds, rel=0.15) for seconds in (30, 45, 67.5, 101.25)]
    assert max(gaps) <= 345
    near = [at for at in found if at > 1700]
    assert near[0] < 1800 < near[-1]
    assert all(later - earlier >= 8.5 for earlier, later in pairwise(near))
    before, past = max(at for at in near if at <= 1800), min(at for at in near if at > 1800)
    assert past - before <= 11.5
    assert len([at for at in near if 1800 < at <= 1900]) >= 5
    assert past - 1800 <= 11.5  # the end is learnt soon, however long nothing had changed


def test_a_stop_is_looked_after_before_it_is_sent_again() -> None:
    job = after(running_job(), *(ev.Looked(at=T0 + 40 * n) for n in range(1, 31)))
    job = apply(job, ordered_stop(at=T0 + 1201))
    job = apply(job, intended(job, Operation.STOP, at=T0 + 1201))
    job = apply(job, confirmed(job, at=T0 + 1202))
    assert due(job, "poll") == pytest.approx(1210, abs=1.5)
    assert due(job, "stop") == 1202 + STOP_REPEAT
    found = [at for at in looks_of_stop(job) if at <= 1202 + STOP_REPEAT]
    assert len(found) >= 4


def looks_of_stop(job: Job) -> list[float]:
    found: list[float] = []
    for _ in range(10):
        found.append(due(job, "poll"))
        job = apply(job, ev.Looked(at=T0 + found[-1]))
    return found


def test_a_stop_that_is_refused_again_waits_too() -> None:
    """The index still shows the job; the network refuses to stop again what is over (its first word was yes)."""
    job = apply(running_job(), ordered_stop())
    job = apply(job, intended(job, Operation.STOP))
    job = apply(job, confirmed(job))
    waits = []
    now = T0 + STOP_REPEAT
    for _ in range(8):
        assert plan(job, now).action in (Begin(Operation.STOP), Look())
        job = apply(job, intended(job, Operation.STOP, at=now))
        job = after(job, refused(job, at=now), waited(Reason.STOP_REQUESTED, at=now))
        waits.append(due(job, "stop") + T0 - now)
        now += waits[-1]
    assert waits[0] >= 1.7
    assert waits[-1] >= 51  # the ladder's top, not 2 s for ever


@pytest.mark.parametrize(
    ("stop", "seconds"),
    [
        ({"after": "20m"}, 1200),
        ({"at": "2027-01-15T08:20:00Z"}, 1200),
        ({"max_cost": "1.5"}, 1490),
        ({"after": "20m", "max_cost": "1"}, 990),
        ({"after": "20m", "at": "2027-01-15T08:19:59Z"}, 1199),
    ],
)
def test_a_stop_falls_due_when_its_policy_says(stop: dict[str, Any], seconds: float) -> None:
    job = running_job(policies={"stop": stop, "extend": {"by": "10m"}})
    assert due(job, "policy_stop") == seconds
    assert not isinstance(plan(job, T0 + seconds - 0.001).action, OrderStop)
    assert isinstance(plan(job, T0 + seconds).action, OrderStop)


def test_a_dearer_record_stops_a_budget_sooner() -> None:
    job = running_job(policies={"stop": {"max_cost": "1.5"}})
    job = apply(job, observed(job, Phase.RUNNING, rate_per_hour=2 * RATE))
    assert due(job, "policy_stop") == 740


def test_a_job_that_a_host_has_is_not_queued_too_long() -> None:
    """The record may show a host before it shows since when."""
    policies = {"stop": {"queued_longer_than": "10m"}}
    job = queued_job(policies=policies)
    assert due(job, "policy_stop") == 600
    job = apply(job, observed(job, Phase.RUNNING, started_at=None))
    assert "policy_stop" not in {item.rule for item in agenda(job)}


def test_a_result_that_is_shown_too_early_keeps_the_looks_going() -> None:
    job = apply(running_job(), observed(running_job(), Phase.RUNNING, result_cid=RESULT))
    assert due(job, "poll") == pytest.approx(30, abs=4.5)


def test_waiting_for_credit_ends_when_it_was_to_end_whatever_came_between() -> None:
    """The balance seems to suffice, the network says 402, over and over."""
    job = posting_job(policies={"credit": {"wait_at_most": "1h"}})
    job = apply(job, short(job, at=T0 + 10))
    assert due(job, "credit_patience") == 3610
    again = posting_job(policies={"credit": {"wait_at_most": "1h"}}).model_copy(
        update={"short_since": job.short_since}
    )
    again = apply(again, short(again, at=T0 + 3000))
    assert due(again, "credit_patience") == 3610
    again = after(
        again, waited(Reason.AWAITING_NETWORK, at=T0 + 3100), waited(Reason.AWAITING_CREDIT, at=T0 + 3200)
    )
    assert due(again, "credit_patience") == 3610
