"""What a change of policies comes to for a job as it is: its place, what it holds, what it was warned of."""

from decimal import Decimal
from typing import Any

import pytest

from dispatcher.domain import events as ev
from dispatcher.domain.changing import Change, change, touches
from dispatcher.domain.errors import Bug, InvalidRequest
from dispatcher.domain.job import Ending, Job
from dispatcher.domain.lifecycle import apply, create
from dispatcher.domain.policies import Policies
from dispatcher.domain.policies.written import as_part
from dispatcher.domain.words import Operation, Reason, State
from tests.domain.made import T0, after, enqueued, held, intended

A, B, C = "market-a", "market-b", "market-c"


def at_place(index: int, *elsewhere: Any, attempt: int = 2) -> Job:
    """A job of the account `mine` at market-a whose next attempt is at the place `index`."""
    places = [place if isinstance(place, dict) else {"market": place} for place in elsewhere]
    job = create(enqueued(market=A, account="mine", policies={"retry": {"elsewhere": places, "attempts": 9}}))
    ended = ev.AttemptEnded(
        at=T0 + 60,
        attempt=1,
        state=State.FAILED,
        reason=Reason.HOST_QUIT,
        ending=Ending(at=T0 + 60),
        settled=Decimal(0),
        why="on",
        place=index,
        retry_at=T0 + 90,
    )
    job = apply(job, ended)
    return job.model_copy(update={"attempt": attempt})


def changed(job: Job, **patch: Any) -> tuple[Change, Job]:
    found = change(job, as_part(patch), T0 + 100)
    place = None if found.place == job.place else found.place
    event = ev.PoliciesChanged(
        at=T0 + 100, policies=found.policies, changed=found.changed, by="ada", place=place
    )
    return found, apply(job, event)


def elsewhere(*markets: Any) -> dict[str, Any]:
    return {"elsewhere": [market if isinstance(market, dict) else {"market": market} for market in markets]}


@pytest.mark.parametrize(
    ("job", "places", "index"),
    [
        (at_place(1, B), (B, C), 1),
        (at_place(1, B), (C, B), 2),
        (at_place(2, B, C), (C,), 1),
        (at_place(0, B), (C,), 0),
        (at_place(0, B), (), 0),
        (at_place(1, B), ({"market": B, "account": "mine"},), 1),
        (at_place(1, B), ({"market": B, "max_rate_per_hour": 2},), 1),
        (at_place(1, {"market": B, "account": "yours"}), (B, {"market": B, "account": "yours"}), 2),
        (at_place(2, B, B), (C, B, B), 2),
        (at_place(1, A), (B,), 0),
    ],
)
def test_a_job_stays_where_it_is_however_its_places_are_ordered_anew(
    job: Job, places: tuple[Any, ...], index: int
) -> None:
    found, then = changed(job, retry=elsewhere(*places))
    assert found.place == then.place == index
    assert (then.market, then.account) == (job.market, job.account)
    assert then.at_place == then.spec.places()[index]  # with what an hour may cost there from now on


@pytest.mark.parametrize(
    ("job", "patch"),
    [
        (at_place(1, B), {"retry": elsewhere(C)}),
        (at_place(1, B), {"retry": elsewhere({"market": B, "account": "yours"})}),
        (at_place(1, B, attempt=4), {"retry": {"elsewhere": None}}),
        (at_place(1, B), {"retry": None}),
    ],
)
def test_the_place_of_an_attempt_cannot_be_taken_away(job: Job, patch: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        change(job, as_part(patch), T0)
    (fault,) = caught.value.faults
    assert fault.path == "policies.retry.elsewhere"
    assert f"market {B}" in fault.message
    assert f"set retry.attempts to {job.attempt}" in fault.message
    # The way out that it names is one.
    assert change(job, as_part({"retry": {"attempts": job.attempt}}), T0).changed == ("retry.attempts",)


def test_no_event_takes_a_job_to_another_place() -> None:
    job = at_place(1, B)
    for policies, place in (
        (Policies(), None),
        (Policies.model_validate({"retry": elsewhere(C, B)}), None),
        (Policies.model_validate({"retry": elsewhere(C, B)}), 1),
        (job.spec.policies, 0),
    ):
        event = ev.PoliciesChanged(
            at=T0, policies=policies, changed=("retry.elsewhere",), by="x", place=place
        )
        with pytest.raises(Bug, match="another place"):
            apply(job, event)


def running(**policies: Any) -> Job:
    job = create(enqueued(policies=policies, timeout="3h"))
    job = after(job, held(job), ev.Pinned(at=T0, known=False))
    job = apply(job, intended(job, Operation.POST))
    assert job.call is not None
    posted = ev.Posted(
        at=T0,
        key=job.call.key,
        address="a",
        run=None,
        seconds=job.call.seconds,
        amount=job.call.amount,
    )
    return apply(job, posted)


def test_a_job_that_was_posted_in_steps_keeps_getting_them() -> None:
    job = running(quantum="30m")
    with pytest.raises(InvalidRequest, match=r"policies\.quantum: .* set quantum\.step to 100h"):
        change(job, {"quantum": None}, T0)
    assert change(job, {"quantum": {"step": "100h"}}, T0).changed == ("quantum.step",)
    whole = running(quantum="5h")
    assert change(whole, {"quantum": None}, T0).changed == ("quantum.step",)
    unposted = create(enqueued(policies={"quantum": "30m"}, timeout="3h"))
    assert change(unposted, {"quantum": None}, T0).changed == ("quantum.step",)


@pytest.mark.parametrize(
    ("job", "patch", "note"),
    [
        (running(), {"stop": {"max_cost": 10}}, "$10.800 is committed already, more than the $10.000"),
        (running(), {"extend": {"by": "1h", "max_cost": 10}}, "$10.800 is committed already"),
        (running(stop={"max_cost": 3}), {"stop": {"max_cost": 50}}, "less than its time-out was posted"),
        (at_place(0), {"retry": None}, "attempt 2 is decided already, and still comes"),
        (running(), {}, "nothing is different from what holds now"),
    ],
)
def test_what_is_worth_knowing_is_noted(job: Job, patch: dict[str, Any], note: str) -> None:
    assert [said for said in change(job, as_part(patch), T0).notes if note in said]


def test_what_is_not_worth_a_word_gets_none() -> None:
    assert change(running(), as_part({"stop": {"max_cost": 11}}), T0).notes == ()


def test_a_cap_that_does_not_pay_for_a_minute_is_noted_before_the_post() -> None:
    job = create(enqueued())
    job = apply(job, held(job))
    (note,) = change(job, as_part({"stop": {"max_cost": "0.01"}}), T0).notes
    assert "does not pay for the shortest posting" in note


@pytest.mark.parametrize(
    ("patch", "warned", "no_extends", "used_up"),
    [
        ({"poll": {"every": "1m"}}, ("stop.after", "stop.max_cost"), "stop.after", "label:a"),
        ({"stop": {"after": "9h"}}, ("stop.max_cost",), None, "label:a"),
        ({"stop": {"max_cost": 50}}, ("stop.after",), "stop.after", "label:a"),
        ({"stop": {"soft": {"warn": 0.6}}}, (), None, "label:a"),
        ({"stop": {"budget": "label:b"}}, ("stop.after", "stop.max_cost"), "stop.after", None),
    ],
)
def test_what_was_warned_of_comes_again_only_where_its_limit_is_another(
    patch: dict[str, Any], warned: tuple[str, ...], no_extends: str | None, used_up: str | None
) -> None:
    job = running(stop={"after": "8h", "max_cost": 40, "soft": {"warn": 0.5}, "budget": "label:a"})
    for limit in ("stop.after", "stop.max_cost"):
        job = apply(job, ev.Warned(at=T0, limit=limit, share=0.5, detail=""))
    job = apply(job, ev.ExtendsEnded(at=T0, limit="stop.after", share=0.5))
    job = apply(job, ev.BudgetUsedUp(at=T0, scope="label:a", detail=""))
    _, then = changed(job, **patch)
    assert (then.warned, then.no_extends, then.budget_used_up) == (warned, no_extends, used_up)


def test_what_is_held_for_a_further_attempt_is_measured_by_what_is_left() -> None:
    retry = {"on": ["failed"], "attempts": 3}
    job = create(enqueued(policies={"stop": {"max_cost": 1}, "retry": retry}))
    over = ev.AttemptEnded(
        at=T0, attempt=1, state=State.FAILED, reason=Reason.HOST_QUIT, ending=Ending(at=T0),
        settled=Decimal("0.5"), why="on", place=0, retry_at=T0,
    )  # fmt: skip
    job = apply(job, over)
    event = held(job)
    quote = event.quote.model_copy(update={"seconds": 500, "amount": Decimal("0.5")})
    job = apply(job, event.model_copy(update={"quote": quote}))
    assert changed(job, poll={"every": "1m"})[1].quote == quote
    assert changed(job, stop={"max_cost": 2})[1].quote is None


def test_fields_are_touched_by_name_not_by_the_beginning_of_their_letters() -> None:
    assert touches(("stop.after",), "stop")
    assert touches(("stop.after",), "stop.after")
    assert not touches(("stop.after",), "stop.at", "sto", "stop.aft")
    assert not touches((), "stop")
