"""What comes next, by tables: each rule in its turn, and what it waits for."""

from typing import Any

import pytest

from dispatcher.domain import events as ev
from dispatcher.domain.actions import (
    Action,
    Adopt,
    Begin,
    Collect,
    Disown,
    DropExtension,
    EndExtends,
    FindPosted,
    Finish,
    GiveUp,
    HoldCredit,
    Look,
    Nothing,
    OrderStop,
    Park,
    Pin,
    Release,
    Send,
    TakeExtended,
    Wait,
    Warn,
)
from dispatcher.domain.ids import IdempotencyKey
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.planner import RULES, agenda, plan, upcoming
from dispatcher.domain.rules.pace import spread
from dispatcher.domain.words import FollowUp, Operation, Phase, Reason, State
from tests.domain.made import (
    ADDRESS,
    CID,
    JOB_ID,
    RESULT,
    T0,
    after,
    confirmed,
    doubtful,
    expired,
    extending_job,
    held,
    held_job,
    intended,
    job_in,
    new_job,
    not_found,
    observed,
    ordered_stop,
    over_job,
    pinned_job,
    posting_job,
    queued_job,
    refused,
    running_job,
    searching_job,
    sought,
    stopping_job,
    undecided,
    undone,
    unresolved,
    waited,
)

POST_KEY, EXTEND_KEY, STOP_KEY = (IdempotencyKey(f"{JOB_ID}:{call}:1:1") for call in Operation)
NEXT_EXTEND_KEY = IdempotencyKey(f"{JOB_ID}:extend:1:2")
STOP_AT = {"stop": {"at": "2027-01-15T08:10:00Z"}}  # T0 + 600
PATIENT = {"credit": {"wait_at_most": "1h"}}
IMPATIENT = {"credit": {"when_short": "fail"}}
EXTEND = {"extend": {"by": "10m"}}  # margin 60 s, deadline T0 + 1800


def stop_sent(job: Job) -> Job:
    """`job` with a stop written down."""
    job = apply(job, ordered_stop())
    return apply(job, intended(job, Operation.STOP))


def stop_taken(job: Job, *, at: float = T0) -> Job:
    return apply(stop_sent(job), confirmed(stop_sent(job), at=at))


def stop_refused(job: Job, *, at: float = T0) -> Job:
    job = stop_sent(job)
    return after(job, refused(job, at=at), waited(Reason.STOP_REQUESTED, at=at))


def missing(job: Job, at: float = T0) -> Job:
    return apply(job, ev.Looked(at=at, missing=True))


def seen(job: Job, phase: Phase = Phase.QUEUED, at: float = T0) -> Job:
    return apply(job, observed(job, phase, at=at))


def shown(job: Job, at: float = T0 + 110) -> Job:
    """`job`, over, with a result."""
    return apply(job, observed(job, Phase.DONE, at=at, result_cid=RESULT))


def order(job: Job, seconds: int = 600) -> Job:
    return apply(job, ev.ExtendOrdered(at=T0, seconds=seconds, by="tester"))


def extension(job: Job, seconds: int = 600) -> Job:
    return apply(job, intended(job, Operation.EXTEND, seconds))


def clear(job: Job, *after_seconds: float) -> Job:
    """Looks that showed nothing."""
    return after(job, *(sought(job, at=T0 + at) for at in after_seconds))


def failed(job: Job, *after_seconds: float, hopeless: bool = False) -> Job:
    return after(job, *(sought(job, "cut", at=T0 + at, hopeless=hopeless) for at in after_seconds))


def held_back(job: Job, until: float) -> Job:
    """A look that was not sent."""
    return apply(job, sought(job, "held back").model_copy(update={"held_until": T0 + until}))


def look_held(job: Job, until: float, *, pressing: bool = False) -> Job:
    """A look at the job that was not sent."""
    return apply(job, ev.Looked(at=T0 + 1, error="held", held_until=T0 + until, pressing=pressing))


def shifted(seconds: float, looks: int = 0) -> float:
    """When a look comes that is due after so many seconds."""
    return spread(new_job(), looks, seconds, 1e9)


def parked(job: Job, at: float) -> Job:
    job = failed(job, at, hopeless=True)
    return apply(job, unresolved(job, at=T0 + at))


def lost_before() -> Job:
    """A post was not found, and so was sent again, once more without an answer."""
    job = searching_job()
    job = apply(job, not_found(job))
    job = after(job, held(job), ev.Pinned(at=T0, known=True))
    job = apply(job, intended(job, Operation.POST))
    return apply(job, doubtful(job))


def named(job: Job) -> Job:
    return apply(job, ev.ResolveOrdered(at=T0, address=ADDRESS, by="tester"))


def in_doubt() -> Job:
    """An extension of 600 s may have landed; its job polls as seldom as it may."""
    job = extension(running_job(policies={"poll": {"every": "1h", "at_most": "1h"}}))
    return apply(job, doubtful(job))


SOFT_AT = {"stop": {"at": "2027-01-15T08:10:00Z", "soft": {"warn": 0.5}}}
SOFT: list[tuple[dict[str, Any], float, Action]] = [
    (
        {"stop": {"after": "20m", "soft": {"warn": 0.8}}},
        960,
        Warn("stop.after", 0.8, "80% of stop.after is over"),
    ),
    (
        {"stop": {"max_cost": "1", "soft": {"warn": 0.5}}},
        500,
        Warn("stop.max_cost", 0.5, "50% of stop.max_cost, $1.000, is used up"),
    ),
    ({"stop": {"after": "20m", "soft": {"no_extends": 0.1}}, **EXTEND}, 120, EndExtends("stop.after", 0.1)),
    (
        {"stop": {"after": "20m", "max_cost": "0.5", "soft": {"warn": 0.9, "no_extends": 0.1}}, **EXTEND},
        50,
        EndExtends("stop.max_cost", 0.1),
    ),
]
SILENT = {"stop": {"no_output_for": "2m"}}
FOUND = {"stop": {"result_matches": {"key": "state", "pattern": "*FOUND*"}}}
FOUND_STOP = OrderStop(Reason.RESULT_MATCHED)
BUDGET = {"stop": {"budget": "account:default"}}
UNTIL = {"credit": {"wait_until": "2027-01-15T08:10:00Z"}}
UNTIL_OR = {"credit": {"wait_until": "2027-01-15T08:10:00Z", "wait_at_most": "1m"}}
EXTEND_UNTIL = {"extend": {"by": "10m", "until": "2027-01-15T08:31:40Z"}}  # 100 s after the deadline


def warned_at(at: float, limit: str = "stop.at") -> ev.Warned:
    return ev.Warned(at=T0 + at, limit=limit, share=0.5, detail="")


def ended_extends(job: Job) -> Job:
    return apply(job, ev.ExtendsEnded(at=T0, limit="stop.after", share=0.1))


def quiet(job: Job, at: float, **moving: Any) -> Job:
    """A look that brought nothing but what came out of the job."""
    return apply(job, ev.Looked(at=T0 + at, **moving))


def broke(job: Job) -> Job:
    return apply(job, ev.BudgetUsedUp(at=T0, scope="account:default", detail=""))


REJECT_POOR = Finish(State.REJECTED, Reason.NO_CREDIT)
REFUSED = Finish(State.REJECTED, Reason.REFUSED, "no (HTTP 400)")
DROP_600 = (
    "its policies do not allow that much run time or cost in total "
    "(max_cost, max_runtime, extend.until, stop.after, stop.at)"
)
AFTER: dict[str, Any] = {"after": [f"job_{9:024x}"]}
RELEASED = ev.Released(at=T0, cid=CID)
AT_TEN_PAST = OrderStop(Reason.STOP_AT)
GONE = observed(running_job(), Phase.GONE, at=T0 + 110)

CASES: list[tuple[str, Job, float, Action]] = [
    # a new job, step by step
    ("credit", new_job(), 0, HoldCredit()),
    ("pin", held_job(), 0, Pin()),
    ("post", pinned_job(), 0, Begin(Operation.POST)),
    ("settle_post", posting_job(), 0, Send(POST_KEY)),
    # jobs that it comes after: nothing begins before they are over, and a stop still ends it
    ("upstream", new_job(**AFTER), 0, Release()),
    ("upstream", apply(new_job(**AFTER), waited(Reason.AWAITING_JOBS)), 70, Release()),
    ("credit", apply(new_job(**AFTER), RELEASED), 0, HoldCredit()),
    (
        "policy_stop",
        apply(new_job(**AFTER, policies=STOP_AT), waited(Reason.AWAITING_JOBS)),
        600,
        AT_TEN_PAST,
    ),
    # its waits
    ("credit", apply(new_job(), ev.Woken(at=T0, by="credit")), 0, HoldCredit()),
    ("credit", after(new_job(), waited(Reason.AWAITING_CREDIT), ev.Woken(at=T0, by="x")), 0, HoldCredit()),
    ("credit", apply(new_job(), waited(Reason.AWAITING_CREDIT)), 35, HoldCredit()),
    ("pin", apply(held_job(), waited(Reason.AWAITING_NETWORK)), 3, Pin()),
    ("post", apply(pinned_job(), waited(Reason.AWAITING_NETWORK)), 3, Begin(Operation.POST)),
    ("credit_patience", apply(new_job(policies=IMPATIENT), waited(Reason.AWAITING_CREDIT)), 0, REJECT_POOR),
    ("credit_patience", apply(new_job(policies=PATIENT), waited(Reason.AWAITING_CREDIT)), 3600, REJECT_POOR),
    # a post
    ("settle_post", after(posting_job(), undecided(posting_job())), 2, Send(POST_KEY)),
    ("refused_post", apply(posting_job(), refused(posting_job())), 0, REFUSED),
    ("settle_post", apply(posting_job(), ordered_stop()), 0, Send(POST_KEY)),
    # a post on an account without idempotency keys
    ("find_post", searching_job(), 5, FindPosted()),
    ("find_post", apply(searching_job(), ordered_stop()), 5, FindPosted()),
    ("find_post", clear(searching_job(), 5), 15, FindPosted()),
    ("find_post", clear(searching_job(), 5, 15, 35, 75, 155), 300, FindPosted()),
    ("find_post", clear(searching_job(), 299, 299.5, 299.9), 300, FindPosted()),
    ("find_post", clear(searching_job(), 5, 15, 300), 300, Disown()),
    ("find_post", clear(searching_job(), 250, 300), 320, FindPosted()),
    ("find_post", clear(lost_before(), 5, 15, 300), 340, FindPosted()),
    ("find_post", failed(searching_job(), 5), 15, FindPosted()),
    ("find_post", failed(searching_job(), 5, 3599), 3619, FindPosted()),
    ("find_post", failed(searching_job(), 5, 3600), 3600, Park()),
    ("find_post", failed(clear(searching_job(), 100), 3600), 3620, FindPosted()),
    ("find_post", failed(searching_job(), 5, hopeless=True), 5, Park()),
    ("find_post", parked(searching_job(), 5), 3605, FindPosted()),
    ("find_post", clear(parked(searching_job(), 5), 3605), 3615, FindPosted()),
    ("find_post", held_back(searching_job(), 40), 40, FindPosted()),
    ("find_post", held_back(parked(searching_job(), 5), 40), 40, FindPosted()),
    ("find_post", clear(held_back(searching_job(), 40), 40), 50, FindPosted()),
    ("find_post", held_back(searching_job(), 3600), 3600, Park()),
    ("find_post", held_back(named(searching_job()), 40), 40, Adopt(ADDRESS)),
    ("find_extension", look_held(in_doubt(), 9, pressing=True), 9, Look()),
    ("find_extension", look_held(in_doubt(), 9, pressing=False), 5, Look()),
    ("find_post", named(searching_job()), 0, Adopt(ADDRESS)),
    ("find_post", named(parked(searching_job(), 5)), 0, Adopt(ADDRESS)),
    ("find_post", failed(named(searching_job()), 5), 15, Adopt(ADDRESS)),
    ("post", apply(posting_job(), undone(posting_job())), 3, Begin(Operation.POST)),
    ("post", apply(posting_job(), undone(posting_job(), retry_at=T0 + 60)), 60, Begin(Operation.POST)),
    # an extension on such an account
    ("find_extension", in_doubt(), 5, Look()),
    ("find_extension", apply(in_doubt(), ev.Looked(at=T0 + 5)), 15, Look()),
    ("find_extension", after(in_doubt(), *(ev.Looked(at=T0 + at) for at in (5, 35, 75))), 115, Look()),
    ("find_extension", after(in_doubt(), *(ev.Looked(at=T0 + at) for at in (5, 35, 100))), 120, Look()),
    ("find_extension", after(in_doubt(), *(ev.Looked(at=T0 + at) for at in (5, 35, 120))), 120, Disown()),
    (
        "find_extension",
        apply(in_doubt(), observed(in_doubt(), Phase.RUNNING, timeout=2400)),
        0,
        TakeExtended(),
    ),
    (
        "find_extension",
        apply(in_doubt(), observed(in_doubt(), Phase.RUNNING, at=T0 + 5, timeout=2399)),
        15,
        Look(),
    ),
    # stops before posting
    ("stop_before_posting", apply(new_job(), ordered_stop()), 0, Finish(State.STOPPED, Reason.OPERATOR)),
    ("stop_before_posting", apply(pinned_job(), ordered_stop()), 0, Finish(State.STOPPED, Reason.OPERATOR)),
    (
        "stop_before_posting",
        after(posting_job(), refused(posting_job()), ordered_stop()),
        0,
        Finish(State.STOPPED, Reason.OPERATOR),
    ),
    # stops by policy
    ("policy_stop", new_job(policies=STOP_AT), 600, OrderStop(Reason.STOP_AT)),
    ("policy_stop", posting_job(policies=STOP_AT), 600, OrderStop(Reason.STOP_AT)),
    ("policy_stop", running_job(policies=STOP_AT), 600, OrderStop(Reason.STOP_AT)),
    ("policy_stop", running_job(policies={"stop": {"after": "10m"}}), 600, OrderStop(Reason.STOP_AFTER)),
    ("policy_stop", running_job(policies={"stop": {"max_cost": "1"}}), 990, OrderStop(Reason.MAX_COST)),
    ("policy_stop", running_job(policies={"stop": {"max_cost": "0.06"}}), 54, OrderStop(Reason.MAX_COST)),
    (
        "policy_stop",
        queued_job(policies={"stop": {"queued_longer_than": "10m"}}),
        600,
        OrderStop(Reason.QUEUED_TOO_LONG),
    ),
    (
        "policy_stop",
        running_job(policies={"stop": {"after": "10m", "max_cost": "0.5"}}),
        490,
        OrderStop(Reason.MAX_COST),
    ),
    ("policy_stop", order(running_job(policies=STOP_AT)), 600, OrderStop(Reason.STOP_AT)),
    # a stop under way
    ("stop", apply(running_job(), ordered_stop()), 0, Begin(Operation.STOP)),
    ("stop", stopping_job(), 0, Send(STOP_KEY)),
    ("stop", after(stopping_job(), undecided(stopping_job())), 2, Send(STOP_KEY)),
    ("stop", stop_refused(running_job()), 3, Begin(Operation.STOP)),
    ("stop", stop_taken(running_job()), 120, Begin(Operation.STOP)),
    ("stop", apply(extending_job(), ordered_stop()), 0, Begin(Operation.STOP)),
    # a job that the network does not know
    ("vanished", missing(queued_job()), 3600, GiveUp()),
    ("vanished", missing(seen(queued_job())), 60, GiveUp()),
    ("vanished", missing(running_job()), 3600, GiveUp()),
    # the end
    ("over", apply(running_job(), GONE), 110, Collect(without_result=True)),
    ("over", shown(running_job()), 110, Collect()),
    ("over", over_job(), 170, Collect(without_result=True)),
    ("over", over_job(Phase.HOST_QUIT), 170, Collect(without_result=True)),
    ("over", after(shown(running_job()), waited(Reason.AWAITING_RESULT, at=T0 + 110)), 113, Collect()),
    (
        "over",
        after(shown(running_job()), waited(Reason.AWAITING_RESULT, at=T0 + 1009)),
        1011,
        Collect(without_result=True),
    ),
    ("over", shown(extending_job()), 110, Collect()),
    ("over", shown(stopping_job()), 110, Collect()),
    # extensions
    ("settle_extend", extending_job(), 0, Send(EXTEND_KEY)),
    ("settle_extend", after(extending_job(), expired(extending_job())), 0, Send(NEXT_EXTEND_KEY)),
    ("policy_extend", running_job(policies=EXTEND), 1740, Begin(Operation.EXTEND, 600)),
    (
        "policy_extend",
        running_job(policies={"extend": {"by": "10m", "margin": "4m"}}),
        1560,
        Begin(Operation.EXTEND, 600),
    ),
    (
        "policy_extend",
        running_job(policies={"extend": {"by": "10m", "max_runtime": "35m"}}),
        1740,
        Begin(Operation.EXTEND, 300),
    ),
    ("ordered_extend", order(running_job()), 0, Begin(Operation.EXTEND, 600)),
    ("ordered_extend", order(queued_job()), 0, Begin(Operation.EXTEND, 600)),
    ("ordered_extend", order(running_job(policies=EXTEND), 60), 1740, Begin(Operation.EXTEND, 60)),
    (
        "ordered_extend",
        order(running_job(policies={"stop": {"max_cost": "2"}})),
        0,
        DropExtension(600, DROP_600),
    ),
    # looks
    ("poll", queued_job(), shifted(5), Look()),
    ("poll", apply(queued_job(), ev.Looked(at=T0 + 8)), 8 + shifted(8, 1), Look()),
    ("poll", running_job(), shifted(30), Look()),
    ("poll", stop_taken(running_job()), shifted(10), Look()),
    ("poll", over_job(), 110 + shifted(10), Look()),
    # looks that were held back
    ("poll", look_held(running_job(), 400), 400, Look()),
    ("poll", look_held(running_job(), 4000), 1740, Look()),  # the last minute before its deadline
    ("poll", look_held(running_job(), 4000, pressing=True), 4000, Look()),
    ("poll", look_held(queued_job(policies=EXTEND), 4000), 1680, Look()),  # a minute before the margin
    ("poll", look_held(stop_taken(running_job()), 90), shifted(10), Look()),
    ("poll", look_held(stop_taken(running_job()), 90, pressing=True), 90, Look()),
    ("poll", look_held(missing(seen(queued_job())), 30, pressing=True), 30, Look()),
    ("vanished", look_held(missing(seen(queued_job())), 80, pressing=True), 81, GiveUp()),
    ("over", look_held(over_job(), 200, pressing=True), 201, Collect(without_result=True)),
    ("over", look_held(over_job(), 20_000, pressing=True), 3710, Collect(without_result=True)),
    # parts of a limit
    *(("soft_steps", running_job(policies=asked), at, action) for asked, at, action in SOFT),
    (
        "soft_steps",
        queued_job(policies=SOFT_AT),
        300,
        Warn("stop.at", 0.5, "50% of the time until stop.at is over"),
    ),
    ("policy_stop", after(running_job(policies=SOFT_AT), warned_at(300)), 600, OrderStop(Reason.STOP_AT)),
    # what comes out of it
    ("policy_stop", quiet(running_job(policies=SILENT), 120), 120, OrderStop(Reason.NO_OUTPUT)),
    ("poll", quiet(running_job(policies=SILENT), 119), 129, Look()),
    ("poll", quiet(running_job(policies=SILENT), 119, output_at=T0 + 100), 119 + shifted(45, 1), Look()),
    ("policy_stop", quiet(running_job(policies=FOUND), 7, results={"state": "I FOUND it"}), 0, FOUND_STOP),
    ("poll", quiet(running_job(policies=FOUND), 7, results={"state": "nothing"}), 7 + shifted(45, 1), Look()),
    # a budget
    ("policy_stop", broke(running_job(policies=BUDGET)), 0, OrderStop(Reason.BUDGET_USED_UP)),
    # credit, until then
    ("credit_patience", apply(new_job(policies=UNTIL), waited(Reason.AWAITING_CREDIT)), 600, REJECT_POOR),
    ("credit_patience", apply(new_job(policies=UNTIL_OR), waited(Reason.AWAITING_CREDIT)), 60, REJECT_POOR),
    # extensions that go no further
    ("policy_extend", running_job(policies=EXTEND_UNTIL), 1740, Begin(Operation.EXTEND, 100)),
    ("ordered_extend", order(running_job(policies=EXTEND_UNTIL)), 0, DropExtension(600, DROP_600)),
    (
        "ordered_extend",
        order(ended_extends(running_job(policies=EXTEND)), 60),
        0,
        Begin(Operation.EXTEND, 60),
    ),
]


@pytest.mark.parametrize(
    ("rule", "job", "later", "action"), CASES, ids=[f"{n}-{case[0]}" for n, case in enumerate(CASES)]
)
def test_the_rule_whose_time_has_come_decides(rule: str, job: Job, later: float, action: Action) -> None:
    decision = plan(job, T0 + later)
    assert (decision.rule, decision.action) == (rule, action)


@pytest.mark.parametrize(
    ("rule", "job", "later"),
    [case[:3] for case in CASES if case[1].wait is None],
    ids=[f"{n}-{case[0]}" for n, case in enumerate(CASES) if case[1].wait is None],
)
def test_no_rule_decides_before_its_time(rule: str, job: Job, later: float) -> None:
    at = {due.rule: due.at for due in agenda(job)}[rule]
    assert at == 0 or at == T0 + later
    if at > 0:
        assert plan(job, at - 0.001).rule != rule or isinstance(plan(job, at - 0.001).action, Wait)


def test_there_is_a_case_for_every_rule_and_every_action() -> None:
    assert {case[0] for case in CASES} | {"finished"} == {rule.__name__ for rule in RULES}
    assert {type(case[3]) for case in CASES} | {Nothing, Wait} == set(Action.__args__)


@pytest.mark.parametrize("state", [state for state in State if state.is_final])
def test_a_job_that_ended_stays_as_it_is(state: State) -> None:
    for now in (0, T0, T0 + 1e9):
        assert plan(job_in(state), now).action == Nothing()


@pytest.mark.parametrize(
    ("job", "until", "rule"),
    [
        (running_job(policies=EXTEND), shifted(30), "poll"),
        (running_job(policies={"stop": {"after": "20s"}}), 20, "policy_stop"),
        (after(posting_job(), undecided(posting_job())), 2, "settle_post"),
        (over_job(), 110 + shifted(10), "poll"),
        (over_job(Phase.HOST_QUIT), 170, "over"),
    ],
)
def test_what_a_job_waits_for(job: Job, until: float, rule: str) -> None:
    decision = plan(job, T0 + 1)
    assert decision.action == Wait(T0 + until)
    assert decision.rule == rule
    assert upcoming(job, T0 + 1).at == T0 + until


@pytest.mark.parametrize(
    ("job", "follow_up"),
    [
        (new_job(), FollowUp.DISPATCH),
        (posting_job(), FollowUp.DISPATCH),
        (running_job(), FollowUp.POLL),
        (missing(queued_job()), FollowUp.POLL),
        (shown(running_job()), FollowUp.POLL),
        (extending_job(), FollowUp.EXTEND),
        (order(running_job()), FollowUp.EXTEND),
        (stopping_job(), FollowUp.STOP),
        (running_job(policies={"stop": {"after": "1s"}}), FollowUp.STOP),
        (apply(new_job(), ordered_stop()), FollowUp.STOP),
    ],
)
def test_people_are_told_what_falls_due(job: Job, follow_up: FollowUp) -> None:
    assert plan(job, T0 + 29).follow_up is follow_up
