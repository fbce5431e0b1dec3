"""Jobs after jobs in a whole world: nothing is held before those are over, and their end wakes who waits."""

import json
from dataclasses import replace
from typing import Any

import pytest

from dispatcher.domain import events as ev
from dispatcher.domain.cid import cid_of
from dispatcher.domain.crashes import Crash
from dispatcher.domain.definition import read_stamp
from dispatcher.domain.errors import InvalidRequest, RequestConflict
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.job import Ending
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.request import JobRequest
from dispatcher.domain.words import FollowUp, Reason, State
from dispatcher.engine import dead, intake
from dispatcher.engine.parts import Limits
from dispatcher.ports.store import Added, Next
from dispatcher.simulator.network import Options
from tests.engine.audit import audit
from tests.world import MARKET, World, definition

DEFAULT = AccountName("default")
ENV = "definition.ops[0].args.env"
TOKEN = "hf_" + "ZqWxEcRvTbYnUmIkOlPaSdFgHjKlQwErTy"
NOBODY = JobId("job_" + "f" * 24)


def with_env(env: dict[str, str], **simulated: Any) -> dict[str, Any]:
    made = definition(**simulated)
    made["ops"][0]["args"]["env"] = env
    return made


def ended(world: World, job_id: JobId) -> tuple[State, Reason]:
    job = world.job(job_id)
    return job.state, job.reason


def detail(world: World, job_id: JobId) -> str:
    job = world.job(job_id)
    assert job.ending is not None
    return job.ending.detail


def calls(world: World) -> int:
    return world.network.ledger.total


def faults(refused: pytest.ExceptionInfo[InvalidRequest]) -> dict[str, str]:
    return {fault.path: fault.message for fault in refused.value.faults}


# --- when it begins ---------------------------------------------------------------------------------------


def test_nothing_is_held_or_asked_until_the_other_completed_and_then_at_once() -> None:
    world = World()
    first = world.enqueue(definition(runs_for="5m"))
    second = world.enqueue(definition("second"), after=[first])
    assert world.job(second).reason is Reason.AWAITING_JOBS
    world.run_for(200)
    job = world.job(second)
    assert (job.state, job.reason, job.quote) == (State.ENQUEUED, Reason.AWAITING_JOBS, None)
    assert job.wait is not None
    assert job.wait.detail == f"waits for {first} (running, running)"
    assert world.parts.ledger.view(DEFAULT).held == world.job(first).spend.posted
    world.run()
    one, two = world.job(first), world.job(second)
    assert ended(world, second) == (State.COMPLETED, Reason.FINISHED)
    assert one.ending is not None
    assert two.remote is not None
    assert two.remote.posted_at == one.ending.at
    audit(world)


@pytest.mark.parametrize(
    ("how", "on", "expected"),
    [
        ({}, "success", (State.COMPLETED, Reason.FINISHED)),
        ({}, "any", (State.COMPLETED, Reason.FINISHED)),
        ({"exit_code": 3}, "success", (State.REJECTED, Reason.UPSTREAM)),
        ({"exit_code": 3}, "any", (State.COMPLETED, Reason.FINISHED)),
    ],
)
def test_what_its_upstream_has_to_be(how: dict[str, Any], on: str, expected: tuple[State, Reason]) -> None:
    world = World()
    first = world.enqueue(definition(**how))
    second = world.enqueue(definition("second"), after=[{"id": first, "on": on}])
    third = world.enqueue(definition("third"), after=[second])
    world.run()
    assert ended(world, second) == expected
    assert world.job(third).state is expected[0]
    if expected[1] is Reason.UPSTREAM:
        assert (
            detail(world, second) == f"{first} ended failed (exit_code), and this job comes after its success"
        )
        assert second in detail(world, third)
        assert len(world.network.jobs) == 1
    audit(world)


def test_a_stopped_upstream_rejects_who_comes_after_it_at_once() -> None:
    world = World()
    first = world.enqueue(definition(runs_for="5h"), timeout="6h")
    second = world.enqueue(after=[first])
    world.run_for(60)
    world.stop(first)
    world.run_for(30)
    assert ended(world, second) == (State.REJECTED, Reason.UPSTREAM)
    assert "ended stopped (operator)" in detail(world, second)
    world.run()
    audit(world)


def test_a_diamond_begins_its_last_when_both_sides_are_over() -> None:
    world = World()
    top = world.enqueue(definition("top"))
    left = world.enqueue(definition("left", runs_for="2m"), after=[top])
    right = world.enqueue(definition("right", runs_for="9m"), after=[top])
    bottom = world.enqueue(definition("bottom"), after=[left, {"id": right, "on": "any"}])
    world.run()
    assert world.job(bottom).state is State.COMPLETED
    assert world.kinds(bottom).count("woken") == 2
    assert world.job(bottom).remote.posted_at == world.job(right).ending.at  # type: ignore[union-attr]
    audit(world)


def test_a_stop_or_the_policy_stop_at_ends_one_that_waits() -> None:
    world = World()
    first = world.enqueue(definition(runs_for="5h"), timeout="6h")
    by_hand = world.enqueue(after=[first])
    by_policy = world.enqueue(after=[first], policies={"stop": {"at": "2027-01-15T08:20:00Z"}})
    patient = world.enqueue(after=[first], policies={"credit": {"wait_at_most": "1m"}})
    world.run_for(100)
    world.stop(by_hand)
    world.run_for(10)
    assert ended(world, by_hand) == (State.STOPPED, Reason.OPERATOR)
    world.run_for(1200)
    assert ended(world, by_policy) == (State.STOPPED, Reason.STOP_AT)
    assert ended(world, patient) == (State.ENQUEUED, Reason.AWAITING_JOBS)
    world.run()
    assert world.job(patient).state is State.COMPLETED
    audit(world)


def test_an_attempt_that_ended_is_not_the_end() -> None:
    world = World()
    first = world.enqueue()
    second = world.enqueue(definition("second"), after=[first])
    world.work()
    claim = world.parts.store.claim(first, now=world.clock.at, lease=30)
    assert claim is not None
    assert claim.job.remote is not None
    retried = ev.AttemptEnded(
        at=world.clock.at,
        attempt=1,
        state=State.FAILED,
        reason=Reason.HOST_QUIT,
        ending=Ending(at=world.clock.at),
        settled=claim.job.spend.posted,
        why="retry",
        place=0,
        retry_at=world.clock.at + 500,
    )
    job = apply(claim.job, retried)
    later = Next(world.clock.at + 500, FollowUp.DISPATCH)
    world.parts.store.release(claim, job, [retried], now=world.clock.at, due=later, retention=60)
    world.run_for(100)
    assert ended(world, second) == (State.ENQUEUED, Reason.AWAITING_JOBS)
    assert world.job(second).wait.detail == f"waits for {first} (enqueued, retrying)"  # type: ignore[union-attr]


def test_a_lost_wake_costs_ten_minutes_at_most() -> None:
    world = World()
    first = world.enqueue(definition(runs_for="3h"), timeout="4h")
    second = world.enqueue(definition("second"), after=[first])
    lost = world.parts.store.dependents
    world.parts.store.dependents = lambda job_id: []  # type: ignore[method-assign]
    world.run()
    world.parts.store.dependents = lost  # type: ignore[method-assign]
    over = world.job(first).ending.at  # type: ignore[union-attr]
    assert 0 < world.job(second).remote.posted_at - over < 700  # type: ignore[union-attr]
    # A look every minute at first, then every ten: three hours come to less than thirty.
    assert world.kinds(second).count("waited") < 30
    assert world.kinds(second).count("woken") == 0
    audit(world)


def test_an_upstream_that_is_a_dead_letter_is_told_and_its_drop_wakes() -> None:
    world = World()
    first = world.enqueue(definition(runs_for="5h"), timeout="6h", callback="app.ended")
    claim = world.parts.store.claim(first, now=world.clock.at, lease=30)
    assert claim is not None
    world.parts.store.crashed(first, claim.token, Crash("x", "x"), now=0, retry_at=0, at_most=1)
    second = world.enqueue(after=[first])
    world.run_for(5)
    assert f"a dead letter until `dispatcher dead retry {first}`" in world.job(second).wait.detail  # type: ignore[union-attr]
    dead.drop(world.parts, first, by="tester")
    world.run_for(5)
    assert ended(world, second) == (State.REJECTED, Reason.UPSTREAM)
    assert [message.task_id for message in world.receiver.sent] == [f"{first}:ended"]
    audit(world)


def test_an_upstream_that_is_forgotten_bars_success_and_no_other() -> None:
    world = World(timing=replace(World().parts.timing, retention=1000.0))
    first = world.enqueue()
    strict = world.enqueue(definition("a"), after=[first])
    loose = world.enqueue(definition("b"), after=[{"id": first, "on": "any"}])
    world.work()
    world.parts.store.dependents = lambda job_id: []  # type: ignore[method-assign]
    store: Any = world.parts.store
    for waiting in (strict, loose):  # nobody looks for long, and then the record is gone
        store._agenda.set(waiting, world.clock.at + 5000)
    world.run()
    assert ended(world, strict) == (State.REJECTED, Reason.UPSTREAM)
    assert "is not kept any more" in detail(world, strict)
    assert world.job(loose).state is State.COMPLETED


# --- intake -----------------------------------------------------------------------------------------------


def test_what_can_never_begin_is_refused_whole() -> None:
    world = World()
    failed = world.enqueue(definition(exit_code=1))
    fine = world.enqueue(definition("fine"))
    world.run()
    with pytest.raises(InvalidRequest) as refused:
        world.enqueue(after=[NOBODY, failed, fine, {"id": failed, "on": "any"}])
    assert faults(refused) == {"after[3]": "names a job that is named before: once is enough"}
    with pytest.raises(InvalidRequest) as refused:
        world.enqueue(after=[NOBODY, failed, fine, {"request_id": "nobody"}])
    assert set(faults(refused)) == {"after[0]", "after[1]", "after[3]"}
    assert f"no job {NOBODY} is kept" in faults(refused)["after[0]"]
    assert "ended failed (exit_code): this job would never begin" in faults(refused)["after[1]"]
    assert len(world.parts.store.list_jobs()) == 2
    later = world.enqueue(definition("later"), after=[fine, {"id": failed, "on": "any"}])
    world.run()
    assert world.job(later).state is State.COMPLETED
    audit(world)


def test_what_another_producer_stores_meanwhile_is_not_there_yet() -> None:
    """Between two looks at the same name it may turn up; then it would be known in one place and not in another."""
    world = World()
    store = world.parts.store

    class Meanwhile:
        asked = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def find(self, request_id: str) -> JobId | None:
            found = store.find(request_id)
            self.asked += request_id == "first"
            if self.asked == 1:
                world.enqueue(request_id="first")
            return found

    request = JobRequest(
        definition=definition("second"), market=MARKET, timeout="10m", after=[{"request_id": "first"}]
    )
    with pytest.raises(InvalidRequest, match="named 'first'"):
        intake.enqueue(replace(world.parts, store=Meanwhile()), [request])
    assert intake.enqueue(world.parts, [request])[0].new


def test_the_same_request_again_is_known_whatever_became_of_its_upstream() -> None:
    world = World()
    first = world.enqueue(definition(exit_code=1))
    second = world.enqueue(definition("second"), after=[first], request_id="second")
    world.run()
    again = world.enqueue(definition("second"), after=[first], request_id="second")
    assert again == second
    with pytest.raises(RequestConflict):
        world.enqueue(definition("second"), request_id="second")


def test_a_job_has_a_bounded_number_of_others_after_it() -> None:
    world = World()
    world.parts = replace(world.parts, limits=Limits(dependents=2))
    first = world.enqueue()
    world.enqueue(definition("a"), after=[first])
    with pytest.raises(InvalidRequest, match=r"requests\[1\]\.after\[0\]: .* has 2 jobs after it already"):
        intake.enqueue(world.parts, [request("b", after=[first]), request("c", after=[first])])
    world.enqueue(definition("b"), after=[first])
    with pytest.raises(InvalidRequest, match=r"^1 fault in the request:\n  after\[0\]"):
        world.enqueue(definition("c"), after=[first])


def request(text: str, **fields: Any) -> JobRequest:
    definition_ = fields.pop("definition", definition(text))
    return JobRequest(**{"definition": definition_, "market": MARKET, "timeout": "10m", **fields})


def test_requests_of_one_call_name_earlier_ones_by_their_request_ids() -> None:
    world = World()
    batch = [
        request("a", request_id="a"),
        request("b", request_id="b", after=[{"request_id": "a"}]),
        request(
            "c",
            definition=with_env({"IN": ""}),
            after=[{"request_id": "b"}, {"request_id": "a", "on": "any"}],
            take={f"{ENV}.IN": {"request_id": "b", "field": "result_cid"}},
        ),
    ]
    a, b, c = (item.id for item in intake.enqueue(world.parts, batch))
    assert [each.job for each in world.job(c).spec.after] == [b, a]
    assert [each.source for each in world.job(c).spec.take.values()] == [b]
    assert world.parts.store.dependents(a) == sorted([b, c])
    world.run()
    assert world.job(c).state is State.COMPLETED
    assert intake.enqueue(world.parts, batch[:2]) == [Added(a, new=False), Added(b, new=False)]
    late = intake.enqueue(world.parts, [request("late", after=[{"request_id": "b"}])])[0].id
    assert world.job(late).spec.after[0].job == b
    world.run()
    audit(world)


def test_a_later_request_of_the_call_cannot_be_named() -> None:
    world = World()
    batch = [
        request("a", request_id="a", after=[{"request_id": "b"}]),
        request("b", request_id="b", after=[{"request_id": "b"}]),
    ]
    with pytest.raises(InvalidRequest) as refused:
        intake.enqueue(world.parts, batch)
    assert set(faults(refused)) == {"requests[0].after[0]", "requests[1].after[0]"}
    assert world.parts.store.list_jobs() == []


def test_nothing_comes_after_a_request_that_is_in_conflict() -> None:
    world = World()
    world.enqueue(definition("other"), request_id="a")
    batch = [request("a", request_id="a"), request("b", request_id="b", after=[{"request_id": "a"}])]
    with pytest.raises(RequestConflict):
        intake.enqueue(world.parts, batch)
    assert world.parts.store.find("b") is None


# --- what it takes ----------------------------------------------------------------------------------------


def taking(world: World, field: str, *, how: dict[str, Any], **first: Any) -> tuple[JobId, JobId]:
    """Two jobs, the first with `how` for its request: the second takes `field` of its end."""
    upstream = world.enqueue(definition("first", **first), **how)
    downstream = world.enqueue(
        with_env({"IN": "", "OTHER": "x"}),
        after=[{"id": upstream, "on": "any"}],
        take={f"{ENV}.IN": {"job": upstream, "field": field}},
    )
    return upstream, downstream


def stored(world: World, job_id: JobId) -> dict[str, Any]:
    found = world.parts.store.document(job_id)
    assert found is not None
    assert cid_of(found) == world.job(job_id).cid
    document: dict[str, Any] = json.loads(found)
    return document


@pytest.mark.parametrize(
    ("field", "first", "value"),
    [
        ("exit_code", {"exit_code": 3}, "3"),
        ("result.status", {}, "success"),
        ("result.opStates[0].logs[2].log", {"output": "forty-two"}, "forty-two\n"),
    ],
)
def test_what_was_taken_is_pinned_and_posted(field: str, first: dict[str, Any], value: str) -> None:
    world = World()
    _, second = taking(world, field, how={}, **first)
    world.run()
    assert stored(world, second)["ops"][0]["args"]["env"] == {"IN": value, "OTHER": "x"}
    job = world.job(second)
    assert job.state is State.COMPLETED
    assert job.remote is not None
    assert world.network.jobs[job.remote.address].cid == job.cid
    (released,) = (event for event in world.parts.store.events(second) if isinstance(event, ev.Released))
    assert (released.taken, released.rule) == ((f"{ENV}.IN",), "upstream")
    audit(world)


@pytest.mark.parametrize("generation", [1, 3])
def test_the_addresses_of_the_others_end_and_the_stamp_where_there_is_one(generation: int) -> None:
    world = World(options=Options(generation=generation))
    first, second = taking(world, "address", how={})
    world.run()
    document = stored(world, second)
    assert document["ops"][0]["args"]["env"]["IN"] == world.job(first).remote.address  # type: ignore[union-attr]
    stamp = read_stamp(document)
    assert (stamp is None) == (generation == 3)
    if stamp is not None:
        assert stamp.dispatch_id == second
    assert world.job(second).state is State.COMPLETED


@pytest.mark.parametrize(
    ("field", "first", "how", "says"),
    [
        (
            "result.opStates[0].logs[2].log",
            {"output": TOKEN},
            {"allow_secrets": ["definition.meta.simulated.output"]},
            "looks like a secret",
        ),
        ("result.opStates[0].results.answer", {}, {}, "is not in the result"),
        (
            "result_cid",
            {"queued_for": "10h"},
            {"policies": {"stop": {"queued_longer_than": "2m"}}},
            "is not there",
        ),
    ],
)
def test_what_cannot_be_used_rejects_before_anything_is_held(
    field: str, first: dict[str, Any], how: dict[str, Any], says: str
) -> None:
    world = World()
    _, second = taking(world, field, how=how, **first)
    world.run()
    assert ended(world, second) == (State.REJECTED, Reason.UNFIT_RESULT)
    assert says in detail(world, second)
    assert TOKEN not in world.job(second).model_dump_json()
    assert TOKEN.encode() not in (world.parts.store.document(second) or b"")
    assert len(world.network.jobs) == 1
    audit(world)


def test_an_own_secret_in_a_result_is_never_pinned() -> None:
    world = World()
    _, second = taking(world, "result.opStates[0].logs[2].log", how={}, output="see own-secret-4711")
    world.parts = replace(world.parts, own_secrets=("own-secret-4711",))
    world.run()
    assert ended(world, second) == (State.REJECTED, Reason.UNFIT_RESULT)
    assert "one of the dispatcher's own secrets" in detail(world, second)
    assert "own-secret-4711" not in detail(world, second)
