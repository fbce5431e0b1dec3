"""The transition table is the whole truth: what it does not hold cannot happen; and a log is enough to go by."""

from collections.abc import Callable
from decimal import Decimal
from typing import get_args

import pytest

from dispatcher.domain import events as ev
from dispatcher.domain.dropping import dropped
from dispatcher.domain.errors import Bug
from dispatcher.domain.ids import RemoteAddress
from dispatcher.domain.job import Ending, Job
from dispatcher.domain.lifecycle import apply, create, replay
from dispatcher.domain.transitions import TRANSITIONS
from dispatcher.domain.words import FINAL_STATES, Operation, Phase, Reason, State
from tests.domain.made import (
    ADDRESS,
    CID,
    JOB_ID,
    T0,
    after,
    confirmed,
    ended,
    enqueued,
    expired,
    extended,
    extending_job,
    found,
    held,
    held_job,
    intended,
    job_in,
    new_job,
    not_found,
    observed,
    ordered_stop,
    pinned_job,
    posted,
    posting_job,
    queued_job,
    refused,
    running_job,
    searching_job,
    short,
    sought,
    stopping_job,
    undecided,
    undone,
    unresolved,
    waited,
)

OTHER = RemoteAddress("9yB2uVfXcEoWz4hTqRkPnDjM7sGaLt5Hi8KxNmZrUwQp")
KINDS = {kind.model_fields["kind"].default: kind for kind in get_args(ev.Event)}

S = State


def extending_in_queue() -> Job:
    job = queued_job()
    return apply(job, intended(job, Operation.EXTEND, 60))


Make = Callable[[], Job]
EXAMPLES: dict[tuple[State, str], tuple[Make, Callable[[Job], ev.Event]]] = {}
"""For every state and kind of event that the table allows: a job and an event that make it happen."""


def allowed(state: State, kind: str, job: Make, event: Callable[[Job], ev.Event]) -> None:
    EXAMPLES[state, kind] = (job, event)


LIVE: dict[State, Make] = {S.QUEUED: queued_job, S.RUNNING: running_job, S.STOPPING: stopping_job}
NOT_POSTED: dict[State, Make] = {S.ENQUEUED: new_job, S.PINNED: pinned_job}
WITH_CALL: dict[State, Make] = {
    S.POSTING: posting_job,
    S.QUEUED: extending_in_queue,
    S.RUNNING: extending_job,
    S.STOPPING: stopping_job,
}
for _state, _job in (NOT_POSTED | LIVE).items():
    allowed(_state, "waited", _job, lambda job: waited(Reason.AWAITING_NETWORK))
    allowed(_state, "woken", _job, lambda job: ev.Woken(at=T0, by="credit"))
for _state, _job in WITH_CALL.items():
    allowed(_state, "call_undecided", _job, undecided)
    allowed(_state, "call_expired", _job, expired)
    allowed(_state, "call_refused", _job, refused)
    if _state is not S.STOPPING:
        allowed(_state, "call_short", _job, short)
for _state, _job in LIVE.items():
    allowed(_state, "looked", _job, lambda job: ev.Looked(at=T0))
    allowed(_state, "observed", _job, lambda job: observed(job, Phase.RUNNING))
    allowed(_state, "ended", _job, lambda job: ended())
for _state, _job in (NOT_POSTED | LIVE | {S.POSTING: posting_job}).items():
    allowed(_state, "extend_dropped", _job, lambda job: ev.ExtendDropped(at=T0, seconds=60, detail="no"))
    if _state is not S.STOPPING:
        allowed(_state, "stop_ordered", _job, lambda job: ordered_stop())
for _state, _job in (NOT_POSTED | LIVE | {S.POSTING: posting_job}).items():
    allowed(_state, "mended", _job, lambda job: ev.Mended(at=T0, what="it was not on the agenda"))
for _state in (S.QUEUED, S.RUNNING):
    allowed(
        _state,
        "adopted",
        LIVE[_state],
        lambda job: adopted(),
    )
    allowed(_state, "extended", WITH_CALL[_state], extended)
    allowed(_state, "call_intended", LIVE[_state], lambda job: intended(job, Operation.EXTEND, 60))
    allowed(
        _state, "extend_ordered", LIVE[_state], lambda job: ev.ExtendOrdered(at=T0, seconds=60, by="tester")
    )
for _state, _job in NOT_POSTED.items():
    allowed(_state, "ended", _job, lambda job: ended(S.REJECTED))
allowed(S.ENQUEUED, "credit_held", new_job, held)
allowed(S.ENQUEUED, "pinned", held_job, lambda job: ev.Pinned(at=T0, known=True))
allowed(S.PINNED, "call_intended", pinned_job, lambda job: intended(job, Operation.POST))
allowed(S.POSTING, "posted", posting_job, posted)
for _state in (S.POSTING, S.QUEUED, S.RUNNING):
    allowed(_state, "call_undone", WITH_CALL[_state], undone)
    allowed(_state, "call_not_found", WITH_CALL[_state], not_found)
allowed(S.POSTING, "call_sought", searching_job, sought)
allowed(S.POSTING, "call_unresolved", searching_job, unresolved)
allowed(S.POSTING, "post_found", searching_job, found)
allowed(
    S.POSTING, "resolve_ordered", searching_job, lambda job: ev.ResolveOrdered(at=T0, address=ADDRESS, by="x")
)
allowed(S.POSTING, "resolve_dropped", searching_job, lambda job: ev.ResolveDropped(at=T0, detail="no"))
allowed(S.POSTING, "ended", posting_job, lambda job: dropped(job, T0, by="tester", reason="a bug"))
allowed(S.STOPPING, "call_intended", stopping_job, lambda job: intended(job, Operation.STOP))
allowed(S.STOPPING, "stop_confirmed", stopping_job, confirmed)


def adopted() -> ev.Adopted:
    return ev.Adopted(at=T0 + 300, address=OTHER, instead_of=ADDRESS, seconds=1800, amount=Decimal("1.8"))


ORDERS: dict[str, Callable[[Job], ev.Event]] = {
    "policies_changed": lambda job: ev.PoliciesChanged(
        at=T0, policies=job.spec.policies, changed=("stop.after",), by="ann"
    ),
    "policies_kept": lambda _: ev.PoliciesKept(at=T0, detail="no", by="ann"),
}
for _state, _make in {**NOT_POSTED, **LIVE, S.POSTING: posting_job}.items():
    for _kind, _event in ORDERS.items():
        allowed(_state, _kind, _make, _event)


def attempt_ended(job: Job) -> ev.Event:
    return ev.AttemptEnded(
        at=T0,
        attempt=job.attempt,
        state=S.FAILED,
        reason=Reason.HOST_QUIT,
        ending=Ending(at=T0),
        settled=Decimal("0.01"),
        why="retry.on host_quit",
        place=1,
        retry_at=T0 + 30,
    )


OF_LIMITS: dict[str, Callable[[Job], ev.Event]] = {
    "warned": lambda _: ev.Warned(at=T0, limit="stop.after", share=0.8, detail="24m of 30m"),
    "extends_ended": lambda _: ev.ExtendsEnded(at=T0, limit="stop.after", share=0.9),
    "budget_used_up": lambda _: ev.BudgetUsedUp(at=T0, scope="label:team-a", detail="$5 of $5"),
    "attempt_ended": attempt_ended,
}
for _state, _make in LIVE.items():
    for _kind, _event in OF_LIMITS.items():
        allowed(_state, _kind, _make, _event)
for _state, _make in NOT_POSTED.items():
    allowed(_state, "attempt_ended", _make, attempt_ended)
allowed(S.STOPPING, "stop_ordered", stopping_job, lambda _: ordered_stop())
allowed(S.ENQUEUED, "released", new_job, lambda job: ev.Released(at=T0, cid=job.cid))
allowed(
    S.ENQUEUED,
    "moved",
    new_job,
    lambda _: ev.Moved(at=T0, place=1, reason=Reason.TOO_DEAR, detail="$2 an hour"),
)


def any_event(kind: str) -> ev.Event:
    """An event of a kind that is itself in order, for a job that it may not fit."""
    for (_, name), (job, event) in EXAMPLES.items():
        if name == kind:
            return event(job())
    return enqueued()


def test_the_table_speaks_of_every_state_and_every_kind_of_event() -> None:
    assert set(TRANSITIONS) == set(State)
    in_table = {kind for kinds in TRANSITIONS.values() for kind in kinds}
    assert in_table | {"enqueued"} == set(KINDS)
    assert "enqueued" not in in_table


def test_final_states_lead_nowhere() -> None:
    assert {state for state, kinds in TRANSITIONS.items() if not kinds} == FINAL_STATES
    assert {state for state in State if state.is_final} == FINAL_STATES


def test_every_live_state_leads_to_an_end() -> None:
    reached = set(FINAL_STATES)
    while True:
        more = {
            state
            for state, kinds in TRANSITIONS.items()
            if any(targets & reached for targets in kinds.values())
        }
        if more <= reached:
            break
        reached |= more
    assert reached == set(State)


def test_there_is_an_example_of_all_that_is_allowed_and_of_nothing_else() -> None:
    assert set(EXAMPLES) == {(state, kind) for state, kinds in TRANSITIONS.items() for kind in kinds}


@pytest.mark.parametrize(("state", "kind"), sorted(EXAMPLES))
def test_what_is_allowed_happens(state: State, kind: str) -> None:
    make, event = EXAMPLES[state, kind]
    job = make()
    assert job.state is state
    then = event(job).model_copy(update={"at": T0 + 7})
    changed = apply(job, then)
    assert changed.state in TRANSITIONS[state][kind]
    assert changed.version == job.version + 1
    assert changed.updated_at == T0 + 7
    assert (changed.id, changed.spec, changed.cid, changed.created_at) == (
        job.id,
        job.spec,
        job.cid,
        job.created_at,
    )
    assert Job.model_validate_json(changed.model_dump_json()) == changed


@pytest.mark.parametrize(
    ("state", "kind"),
    [(state, kind) for state in State for kind in sorted(KINDS) if kind not in TRANSITIONS[state]],
)
def test_what_is_not_allowed_is_a_bug(state: State, kind: str) -> None:
    job = job_in(state)
    with pytest.raises(Bug, match=f"{kind} cannot happen to a job that is {state} \\({JOB_ID}\\)"):
        apply(job, any_event(kind))


@pytest.mark.parametrize(
    ("job", "event", "said"),
    [
        (new_job(), ended(S.COMPLETED), "ended cannot lead from enqueued to completed"),
        (pinned_job(), ended(S.FAILED), "ended cannot lead from pinned to failed"),
        (posting_job(), ended(S.FAILED), "ended cannot lead from posting to failed"),
        (posting_job(), ended(S.STOPPED), "ended cannot lead from posting to stopped"),
        (running_job(), ended(S.RUNNING), "ended cannot lead from running to running"),
        (pinned_job(), intended(running_job(), Operation.EXTEND, 60), "cannot lead from pinned to pinned"),
        (running_job(), intended(pinned_job(), Operation.POST), "cannot lead from running to posting"),
        (running_job(), intended(running_job(), Operation.STOP), "nobody asked to stop"),
        (extending_job(), intended(running_job(), Operation.EXTEND, 60), "while a call of .* is open"),
        (running_job(), undecided(extending_job()), "no call of .* is open under the key"),
        (running_job(), refused(extending_job()), "no call of .* is open under the key"),
        (running_job(), extended(extending_job()), "no call of .* is open under the key"),
        (
            extending_job(),
            undecided(extending_in_queue()).model_copy(update={"key": "other"}),
            "under the key",
        ),
        (posting_job(), posted(posting_job()).model_copy(update={"key": "other"}), "under the key other"),
        (extending_job(), adopted(), "cannot go on as another"),
        (apply(running_job(), ordered_stop()), adopted(), "cannot go on as another"),
    ],
)
def test_an_event_that_does_not_fit_the_job_is_a_bug(job: Job, event: ev.Event, said: str) -> None:
    with pytest.raises(Bug, match=said):
        apply(job, event)


def test_a_job_is_not_enqueued_twice() -> None:
    with pytest.raises(Bug, match="enqueued cannot happen"):
        apply(new_job(), enqueued())


@pytest.mark.parametrize(
    "event",
    [
        enqueued(labels={"a": "b"}, policies={"extend": {"by": "1h", "max_cost": "2.5"}}),
        *(event(job()) for job, event in EXAMPLES.values()),
        waited(Reason.AWAITING_CREDIT, detail="needs $1.000"),
        observed(running_job(), Phase.DONE, ended_at=T0 + 1, rate_per_hour=Decimal("0.123456789")),
        ev.Looked(at=T0 + 0.1234567, error="cut", missing=True),
    ],
    ids=lambda event: event.kind,
)
def test_every_event_survives_json(event: ev.Event) -> None:
    again = ev.EVENTS.validate_json(ev.EVENTS.dump_json(event))
    assert type(again) is type(event)
    assert again == event


def test_only_looks_are_not_logged() -> None:
    assert {kind for kind, event in KINDS.items() if not event.logged} == {"looked", "call_sought"}


def story() -> list[ev.Event]:
    """A job's whole life: short of credit, lost answers, extended, stopped, with looks in between."""
    job, log = new_job(), list[ev.Event]()

    def happens(event: Callable[[Job], ev.Event] | ev.Event) -> None:
        nonlocal job
        log.append(event(job) if callable(event) else event)
        job = apply(job, log[-1])

    happens(waited(Reason.AWAITING_CREDIT, at=T0 + 1))
    happens(waited(Reason.AWAITING_CREDIT, at=T0 + 31))
    happens(ev.Woken(at=T0 + 40, by="credit"))
    happens(held)
    happens(ev.Pinned(at=T0 + 41, known=False))
    happens(lambda job: intended(job, Operation.POST, at=T0 + 41))
    happens(undecided)
    happens(expired)
    happens(posted)
    happens(ev.Looked(at=T0 + 50, missing=True))
    happens(ev.Looked(at=T0 + 60))
    happens(lambda job: observed(job, Phase.RUNNING, at=T0 + 70))
    happens(ev.Looked(at=T0 + 80))
    happens(lambda job: intended(job, Operation.EXTEND, 1800, at=T0 + 90))
    happens(short)
    happens(lambda job: intended(job, Operation.EXTEND, 1800, at=T0 + 120))
    happens(extended)
    happens(ev.ExtendOrdered(at=T0 + 130, seconds=60, by="tester"))
    happens(lambda job: intended(job, Operation.EXTEND, 60, at=T0 + 130))
    happens(ordered_stop(at=T0 + 131))
    happens(lambda job: intended(job, Operation.STOP, at=T0 + 131))
    happens(refused)
    happens(waited(Reason.STOP_REQUESTED, at=T0 + 132))
    happens(lambda job: intended(job, Operation.STOP, at=T0 + 134))
    happens(confirmed)
    happens(ev.Looked(at=T0 + 140))
    happens(lambda job: observed(job, Phase.DONE, at=T0 + 150, ended_at=T0 + 135))
    happens(ended(S.STOPPED, at=T0 + 160, settled="0.065"))
    return [enqueued(), *log]


def test_a_log_leads_to_the_record_again() -> None:
    whole = story()
    job = after(create(enqueued()), *whole[1:])
    assert job.state is S.STOPPED
    assert replay(whole) == job
    logged = replay([ev.EVENTS.validate_json(ev.EVENTS.dump_json(event)) for event in whole if event.logged])
    assert job.remote is not None
    assert logged.remote is not None
    looks = {"looked_at", "seen_at", "missing_since", "unchanged_looks", "error", "held_until"}
    looks |= {"held_pressing", "output_at", "results"}
    assert logged.remote.model_dump(exclude=looks) == job.remote.model_dump(exclude=looks)
    assert logged.model_dump(exclude={"remote", "version"}) == job.model_dump(exclude={"remote", "version"})
    assert job.version - logged.version == sum(not event.logged for event in whole)


def test_a_log_begins_with_the_request() -> None:
    with pytest.raises(Bug, match="an empty log"):
        replay([])
    with pytest.raises(Bug, match="a log starts with enqueued, not with pinned"):
        replay([ev.Pinned(at=T0, known=True)])
    with pytest.raises(Bug, match="enqueued cannot happen"):
        replay([enqueued(), enqueued()])


def test_a_new_job_is_what_was_asked_for() -> None:
    job = create(enqueued(labels={"a": "b"}))
    assert (job.id, job.cid, job.spec.labels) == (JOB_ID, CID, {"a": "b"})
    assert (job.state, job.reason, job.version) == (S.ENQUEUED, Reason.NEW, 1)
    assert job.created_at == job.updated_at == T0
