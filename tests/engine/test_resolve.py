"""A person says what became of a post that cannot be found out about."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from dispatcher.domain.errors import NoAnswer, NotPossible, UnknownJob
from dispatcher.domain.ids import IdempotencyKey, JobId, RemoteAddress
from dispatcher.domain.job import Job
from dispatcher.domain.view import view, why
from dispatcher.domain.words import Reason, State
from dispatcher.engine.resolve import resolve
from dispatcher.ports.store import Command
from dispatcher.simulator.fault_plan import parse_plan
from tests.engine.audit import audit, remotes
from tests.engine.test_unkeyed import DEFAULT, strike, unkeyed
from tests.world import World, definition

NOWHERE = RemoteAddress("DrRBsFXmzhJeu7ak4EDmbxLqoJQExzYDxES2wBkgzQAq")


def parked(kind: str, **fields: Any) -> tuple[World, JobId]:
    """A job whose post got no answer, on an account whose jobs cannot be listed."""
    world = unkeyed(knows=False, faults=strike("jobs.list", kind))
    job_id = world.enqueue(definition(runs_for="3h"), timeout="10h", **fields)
    world.run_for(60)
    return world, job_id


def there(world: World, job_id: JobId) -> RemoteAddress:
    (remote,) = remotes(world, job_id)
    return RemoteAddress(remote.address)


def say(world: World, job_id: JobId, **said: Any) -> Job:
    job = resolve(world.parts, job_id, by="tester", **said)
    world.work()
    return job


@pytest.mark.parametrize("kind", ["lose_answer", "cut"])
def test_a_post_that_nothing_can_be_found_out_about_waits_for_a_person(kind: str) -> None:
    world, job_id = parked(kind)
    with capture_logs() as logs:
        world.run_for(86_400)
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.POSTING, Reason.UNRESOLVED)
    assert world.parts.ledger.view(DEFAULT).held == job.quote.amount  # type: ignore[union-attr]
    assert world.network.ledger.statuses["jobs.list", "cut"] == 1
    assert (
        sum(count for (route, _), count in world.network.ledger.statuses.items() if route == "jobs.list") == 1
    )
    assert f"dispatcher resolve {job_id} --posted ADDRESS" in why(job)
    assert "DISPATCHER_NOSANA_PROJECT" in why(job)
    assert job.cid in why(job)
    assert view(job, world.clock.at)["next"]["rule"] == "find_post"
    assert [line["event"] for line in logs] == ["job_unresolved"] * 24
    assert len(world.kinds(job_id)) == 6
    world.check_log(job_id)


def test_another_job_that_teaches_whose_jobs_they_are_helps_a_parked_one() -> None:
    world, job_id = parked("lose_answer")
    other = world.enqueue(definition(runs_for="1m"))
    world.run()
    assert world.job(other).state is State.COMPLETED
    assert "post_found" in world.kinds(job_id)
    audit(world)


def test_a_job_that_was_posted_goes_on_from_there() -> None:
    world, job_id = parked("lose_answer")
    address = there(world, job_id)
    said = say(world, job_id, posted=address)
    assert said.state is State.POSTING
    job = world.job(job_id)
    assert job.remote is not None
    assert job.remote.address == address
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    assert world.kinds(job_id).count("post_found") == 1
    assert len(world.network.jobs) == 1
    audit(world)


def test_a_job_that_was_not_posted_is_posted_again() -> None:
    world, job_id = parked("cut")
    say(world, job_id, not_posted=True)
    assert world.job(job_id).posts == 2
    assert world.parts.ledger.view(DEFAULT).held == world.job(job_id).spend.posted
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


def test_it_can_be_said_before_anybody_asks() -> None:
    world = unkeyed(faults=strike("jobs.list", "lose_answer"), visible_after=30.0)
    job_id = world.enqueue(definition(runs_for="1h"), timeout="2h")
    world.run_for(6)
    assert world.job(job_id).reason is not Reason.UNRESOLVED
    with pytest.raises(NotPossible, match="knows no such job"):
        say(world, job_id, posted=there(world, job_id))
    world.clock.move(25)
    say(world, job_id, posted=there(world, job_id))
    assert world.job(job_id).state is State.QUEUED
    world.run()
    audit(world)


@pytest.mark.parametrize("posted", [True, False], ids=["posted", "not posted"])
def test_a_stop_stays_noted_and_is_done_when_it_is_known_what_to_stop(posted: bool) -> None:
    world, job_id = parked("lose_answer" if posted else "cut")
    world.stop(job_id)
    world.run_for(2 * 3600)
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.POSTING, Reason.UNRESOLVED)
    assert job.stop is not None
    if posted:
        world.network.advance()
        say(world, job_id, posted=there(world, job_id))
    else:
        say(world, job_id, not_posted=True)
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.STOPPED, Reason.OPERATOR)
    assert len(world.network.jobs) == posted
    audit(world)


def test_an_address_is_read_before_it_is_believed() -> None:
    world, job_id = parked("lose_answer")
    other = world.enqueue(definition("other", runs_for="1h"), timeout="2h")
    world.network.faults.replace(parse_plan([{"route": "jobs.query", "kind": "cut"}]))
    world.run_for(30)
    remote = world.job(other).remote
    assert remote is not None
    with pytest.raises(NotPossible, match=f"that is {other}"):
        say(world, job_id, posted=remote.address)
    with pytest.raises(NotPossible, match="knows no such job"):
        say(world, job_id, posted=NOWHERE)
    cid, quote = world.job(other).cid, world.job(other).quote
    assert quote is not None
    by_hand = world.provider("default").post(
        cid=cid, market=quote.market, seconds=600, node=None, key=IdempotencyKey("by hand")
    )
    with pytest.raises(NotPossible, match=f"runs the definition {cid}"):
        say(world, job_id, posted=by_hand.address)
    world.network.faults.replace(parse_plan([{"route": "jobs.get", "kind": "cut"}]))
    with pytest.raises(NoAnswer):
        say(world, job_id, posted=there(world, job_id))
    assert world.job(job_id).state is State.POSTING
    assert "resolve_ordered" not in world.kinds(job_id)


@pytest.mark.parametrize("said", [{}, {"posted": NOWHERE, "not_posted": True}], ids=["nothing", "both"])
def test_one_thing_has_to_be_said(said: dict[str, Any]) -> None:
    world, job_id = parked("cut")
    with pytest.raises(NotPossible, match="say either"):
        say(world, job_id, **said)


def test_only_an_undecided_post_can_be_resolved() -> None:
    world = World(faults=strike("jobs.list", "cut", (1, 2)))
    with pytest.raises(UnknownJob):
        say(world, JobId("job_none"), not_posted=True)
    job_id = world.enqueue(definition(runs_for="5m"))
    with pytest.raises(NotPossible, match="the job is enqueued: only a job whose post is undecided"):
        say(world, job_id, not_posted=True)
    world.work()
    assert world.job(job_id).state is State.POSTING  # with a key: it is sent again, and nobody is asked
    with pytest.raises(NotPossible, match="found out about without help"):
        say(world, job_id, not_posted=True)
    world.run()
    with pytest.raises(NotPossible, match="the job is completed"):
        say(world, job_id, not_posted=True)


def test_what_is_said_too_late_does_nothing() -> None:
    world, job_id = parked("lose_answer")
    address = there(world, job_id)
    resolve(world.parts, job_id, posted=address, by="tester")
    world.parts.store.note_project(DEFAULT, world.provider("default").get(address).project)  # type: ignore[arg-type]
    world.work()
    before = world.kinds(job_id)
    world.parts.store.command(job_id, Command("resolve", by="late", at=world.clock.at), now=world.clock.at)
    world.work()
    assert world.kinds(job_id) == before
    world.run()
    audit(world)


def test_a_record_that_the_worker_cannot_read_is_asked_for_again() -> None:
    world, job_id = parked("lose_answer")
    address = there(world, job_id)
    resolve(world.parts, job_id, posted=address, by="tester")
    world.network.faults.replace(
        parse_plan([{"route": "jobs.get", "kind": "status", "status": 503, "nth": [1, 2]}])
    )
    world.work()
    assert world.job(job_id).state is State.POSTING
    world.run_for(30)
    assert world.job(job_id).remote is not None
    world.run()
    audit(world)


def test_an_address_that_turns_out_wrong_is_dropped_and_told() -> None:
    """Between the person's word and the worker's look the job at that address was taken off the queue."""
    world, job_id = parked("lose_answer")
    address = there(world, job_id)
    resolve(world.parts, job_id, posted=address, by="tester")
    world.network.faults.replace(
        parse_plan([{"route": "jobs.get", "kind": "status", "status": 404, "nth": [1]}])
    )
    world.work()
    assert world.kinds(job_id)[-2:] == ["resolve_ordered", "resolve_dropped"]
    assert world.job(job_id).reason is Reason.UNRESOLVED
    say(world, job_id, posted=address)
    world.run()
    audit(world)


def test_an_unstamped_job_of_an_account_that_turns_out_to_have_no_keys_is_left_to_a_person() -> None:
    """The settings said that the network knows keys, and somebody mended them while a post was under way."""
    world = unkeyed(faults=strike("jobs.list", "lose_answer"))
    job_id = world.enqueue(definition(runs_for="1h"), timeout="2h")
    stored = world.parts.store._jobs[job_id]  # type: ignore[attr-defined]
    stored.job = stored.job.model_copy(update={"stamped": False})
    world.logs_lead_to_records = False  # its log says that it is stamped
    world.run_for(60)
    job = world.job(job_id)
    assert job.reason is Reason.UNRESOLVED
    assert "without a stamp" in why(job)
    assert len(world.network.jobs) == 1
