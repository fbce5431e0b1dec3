"""A network without idempotency keys: whatever happens to a call, no job is posted twice and none is lost.

The second generation of the simulated network, which ignores keys. What may have landed is looked for.
"""

from typing import Any

import pytest
from structlog.testing import capture_logs

from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.ids import AccountName, IdempotencyKey, JobId, ProjectAddress
from dispatcher.domain.request import DEFINITION_AT_MOST
from dispatcher.domain.rules.unkeyed import POST_PATIENCE
from dispatcher.domain.view import why
from dispatcher.domain.words import Reason, State
from dispatcher.engine import finding
from dispatcher.engine.resolve import resolve
from dispatcher.simulator.fault_plan import parse_plan
from dispatcher.simulator.network import Options
from tests.engine.audit import audit, remotes
from tests.engine.test_faults import ENDS, FAULTS, Life
from tests.world import START, World, definition

DEFAULT = AccountName("default")


def unkeyed(*, faults: Any = (), seed: int = 1, knows: bool = True, **options: Any) -> World:
    """A world without keys; `knows`: the account's own address is known from the beginning."""
    world = World(seed=seed, faults=faults, options=Options(generation=2, **options))
    if knows:
        world.parts.store.note_project(DEFAULT, project(world))
    return world


def project(world: World) -> ProjectAddress:
    account = world.network.accounts.of_key("nos_default")
    assert account is not None
    return ProjectAddress(account.project)


def strike(route: str, kind: str, nth: tuple[int, ...] = (1,), **more: Any) -> list[dict[str, Any]]:
    return [{"route": route, "kind": kind, "nth": list(nth), **more}]


HARD: dict[str, dict[str, Any]] = {
    "lose_answer": {"kind": "lose_answer"},
    "cut": {"kind": "cut"},
    "500 without an effect": {"kind": "status", "status": 500},
    "502 with an effect": {"kind": "status", "status": 502, "done": True, "body": "<html>"},
    "no JSON": {"kind": "status", "status": 200, "done": True, "body": "well"},
    "slower than the patience": {"kind": "slow", "seconds": 25},
    "429": {"kind": "rate_limit", "retry_after": 7},
    "401": {"kind": "status", "status": 401},
}
LANDS = {"lose_answer", "502 with an effect", "no JSON", "slower than the patience"}
NTH: list[tuple[int, ...]] = [(1,), (2,), (1, 2)]


@pytest.mark.parametrize("late", [0.0, 60.0])
@pytest.mark.parametrize("nth", NTH, ids=str)
@pytest.mark.parametrize("fault", HARD.values(), ids=HARD)
@pytest.mark.parametrize("route", ["jobs.list", "jobs.extend"])
def test_no_fault_of_a_post_or_an_extension_does_it_twice(
    route: str, fault: dict[str, Any], nth: tuple[int, ...], late: float
) -> None:
    faults = [{"route": route, "nth": list(nth), **fault}]
    if late:
        faults.append({"route": "jobs.list", "kind": "list_late", "seconds": late})
    world = unkeyed(faults=faults)
    job_id = world.enqueue(definition(runs_for="25m"), policies={"extend": {"by": "10m", "margin": "5m"}})
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.COMPLETED, Reason.FINISHED)
    assert job.extends == 2
    assert len(world.network.jobs) == 1
    assert next(iter(world.network.jobs.values())).timeout == 1800
    audit(world)


@pytest.mark.parametrize("fault", HARD, ids=str)
def test_what_came_of_a_lost_post_is_told_in_the_log(fault: str) -> None:
    world = unkeyed(faults=[{"route": "jobs.list", "nth": [1], **HARD[fault]}])
    job_id = world.enqueue(definition(runs_for="2m"))
    world.run()
    kinds = world.kinds(job_id)
    assert kinds.count("post_found") == (fault in LANDS)
    assert kinds.count("call_undone") == (fault in {"429", "401"})
    assert kinds.count("call_not_found") == (fault in {"cut", "500 without an effect"})
    assert kinds.count("call_intended") == (1 if fault in LANDS else 2)
    posts = [call for call in world.network.ledger.calls if call.route == "jobs.list"]
    assert len(posts) == kinds.count("call_intended")


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("life", ENDS, ids=lambda life: life.__name__)
@pytest.mark.parametrize(
    "faults", [plan for name, plan in FAULTS.items() if "expire" not in name and "in prog" not in name]
)
def test_a_job_ends_once_and_is_paid_once_whatever_the_network_does(
    faults: list[dict[str, Any]], life: Life, seed: int
) -> None:
    """An extension that is in doubt for too long may cost a job its last minutes, but nothing is done twice."""
    world = unkeyed(seed=seed, faults=faults)
    job_id = life(world)
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason) in ENDS[life] | {(State.STOPPED, Reason.TIMED_OUT)}
    if (job.state, job.reason) not in ENDS[life]:
        assert job.spec.policies.extend is not None
    audit(world)


@pytest.mark.parametrize("late", [1.0, 60.0, 200.0])
@pytest.mark.parametrize("life", ENDS, ids=lambda life: life.__name__)
def test_an_index_that_lags_behind_hides_a_lost_post_but_not_for_ever(life: Life, late: float) -> None:
    world = unkeyed(faults=strike("jobs.list", "lose_answer"), visible_after=late, filled_after=2 * late)
    job_id = life(world)
    world.run()
    assert "post_found" in world.kinds(job_id)
    assert world.job(job_id).reason not in {Reason.VANISHED, Reason.STOPPED_ELSEWHERE}
    audit(world)


def test_a_post_that_did_not_land_is_looked_for_before_it_is_sent_again() -> None:
    world = unkeyed(faults=strike("jobs.list", "cut"))
    job_id = world.enqueue(definition(runs_for="2m"))
    world.run_for(POST_PATIENCE - 1)
    assert world.job(job_id).state is State.POSTING
    assert world.parts.ledger.view(DEFAULT).held > 0
    posts = [call.at - START for call in world.network.ledger.calls if call.route == "jobs.list"]
    assert posts == [0.0]
    looks = {call.at - START for call in world.network.ledger.calls if call.route == "jobs.query"}
    assert len(looks) >= 3
    world.run()
    posts = [call.at - START for call in world.network.ledger.calls if call.route == "jobs.list"]
    assert posts == [0.0, POST_PATIENCE]
    assert world.job(job_id).posts == 2
    audit(world)


def test_posts_that_never_land_are_sent_less_and_less_often() -> None:
    world = unkeyed(faults=[{"route": "jobs.list", "kind": "cut"}])
    job_id = world.enqueue(definition(runs_for="2m"))
    world.run_for(86_400)
    posts = [call.at - START for call in world.network.ledger.calls if call.route == "jobs.list"]
    assert 20 <= len(posts) <= 32
    assert len(world.kinds(job_id)) < 200
    world.network.faults.replace([])
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


def test_equal_definitions_are_told_apart() -> None:
    world = unkeyed(faults=strike("jobs.list", "lose_answer", (1, 3)))
    ids = [world.enqueue(definition(runs_for="2m")) for _ in range(4)]
    world.run()
    assert len(world.network.jobs) == 4
    assert len({world.job(job_id).cid for job_id in ids}) == 4
    assert {world.job(job_id).state for job_id in ids} == {State.COMPLETED}
    audit(world)


def test_with_keys_nothing_is_stamped_and_equal_definitions_share_a_pin() -> None:
    world = World()
    ids = [world.enqueue(definition(runs_for="2m")) for _ in range(2)]
    assert len({world.job(job_id).cid for job_id in ids}) == 1
    world.run()
    assert world.network.ledger.statuses["ipfs.pin", "200"] == 1


def test_a_request_is_the_same_request_whatever_the_stamp() -> None:
    world = unkeyed()
    first = world.enqueue(request_id="one")
    assert world.enqueue(request_id="one") == first


def test_a_post_during_an_outage_of_the_lists_is_parked_and_goes_on_by_itself_afterwards() -> None:
    world = unkeyed(
        faults=[*strike("jobs.list", "lose_answer"), {"route": "jobs.query", "kind": "status", "status": 503}]
    )
    job_id = world.enqueue(definition(runs_for="2h"), timeout="10h")
    world.run_for(3500)
    assert world.job(job_id).reason is not Reason.UNRESOLVED
    with capture_logs() as logs:
        world.run_for(10 * 3600)
    reminders = [line for line in logs if line["event"] == "job_unresolved"]
    assert 9 <= len(reminders) <= 12
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.POSTING, Reason.UNRESOLVED)
    assert world.parts.store.next_due(job_id) is not None
    assert world.parts.ledger.view(DEFAULT).held > 0
    assert world.kinds(job_id).count("call_unresolved") == 1
    assert len(world.kinds(job_id)) < 10
    world.check_log(job_id)
    world.network.faults.replace([])
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


def test_a_stop_during_the_search_ends_the_job_that_is_found() -> None:
    world = unkeyed(faults=strike("jobs.list", "lose_answer"), visible_after=100.0)
    job_id = world.enqueue(definition(runs_for="3h"), timeout="10h")
    world.run_for(10)
    world.stop(job_id)
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.STOPPED, Reason.OPERATOR)
    (remote,) = remotes(world, job_id)
    assert remote.ended_at - remote.listed_at < 200
    audit(world)


def test_a_stop_during_the_search_for_what_never_landed_ends_it_there() -> None:
    world = unkeyed(faults=strike("jobs.list", "cut"))
    job_id = world.enqueue(definition(runs_for="3h"), timeout="10h")
    world.run_for(10)
    world.stop(job_id)
    world.run()
    assert (world.job(job_id).state, world.job(job_id).reason) == (State.STOPPED, Reason.OPERATOR)
    assert world.network.jobs == {}
    audit(world)


def test_stops_are_sent_again() -> None:
    world = unkeyed(faults=strike("jobs.stop", "lose_answer", (1, 2)))
    job_id = world.enqueue(definition(runs_for="3h"), timeout="10h")
    world.run_for(60)
    world.stop(job_id)
    world.run()
    assert world.job(job_id).state is State.STOPPED
    audit(world)


def test_a_crowded_account_is_read_page_by_page() -> None:
    world = unkeyed(faults=strike("jobs.list", "lose_answer", (121,)))
    ids = [world.enqueue(definition(str(n), queued_for="1h", runs_for="1m")) for n in range(121)]
    world.run_for(60)
    assert all(world.job(job_id).remote is not None for job_id in ids)
    world.network.faults.replace(parse_plan([]))
    world.run()
    audit(world)


def test_an_account_with_more_jobs_than_can_be_looked_through_is_left_to_a_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(finding, "_PAGES", 1)
    world = unkeyed(faults=strike("jobs.list", "cut", (52,)))
    ids = [world.enqueue(definition(str(n), queued_for="2h", runs_for="1m")) for n in range(52)]
    world.run_for(5000)
    parked = [job for job in map(world.job, ids) if job.reason is Reason.UNRESOLVED]
    assert len(parked) == 1
    assert len(world.network.jobs) == 51
    assert "more than 50 jobs" in why(parked[0])
    resolve(world.parts, parked[0].id, not_posted=True, by="tester")
    world.run()
    assert len(world.network.jobs) == 52
    audit(world)


def test_the_project_is_learnt_from_the_first_answer_and_kept() -> None:
    world = unkeyed(knows=False)
    world.enqueue(definition(runs_for="1m"))
    world.run()
    assert world.parts.store.project(DEFAULT) == project(world)


def test_another_project_than_was_known_is_told_loudly_and_believed() -> None:
    world = unkeyed()
    provider = world.parts.providers.account(DEFAULT)
    provider.learn_project(ProjectAddress("7AtiXMSH6R1jjBxrcYjehCkkSF7zvYWte63gwEDBcGHq"))
    with capture_logs() as logs:
        world.enqueue(definition(runs_for="1m"))
        world.run()
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["project_is_another"]
    assert provider.project == project(world)


def test_two_jobs_with_one_stamp_are_told_and_the_one_that_lives_is_taken() -> None:
    """Somebody posted the same definition by hand, twice, and stopped one of them."""
    world = unkeyed(faults=strike("jobs.list", "cut"))
    job_id = world.enqueue(definition(runs_for="3h", queued_for="0s"), timeout="10h")
    world.run_for(1)
    by_hand, mine, quote = world.provider("default"), world.job(job_id), world.job(job_id).quote
    assert quote is not None
    key = IdempotencyKey("by hand")
    stopped, living = (
        by_hand.post(cid=mine.cid, market=quote.market, seconds=36_000, node=None, key=key) for _ in range(2)
    )
    world.clock.move(1)
    by_hand.stop(stopped.address, key=key)
    with capture_logs() as logs:
        world.run_for(100)
    job = world.job(job_id)
    assert job.remote is not None
    assert job.remote.address == living.address
    (told,) = [line for line in logs if line["log_level"] == "error"]
    assert (told["event"], set(told["addresses"])) == (
        "posted_more_than_once",
        {stopped.address, living.address},
    )


def test_too_large_with_its_stamp() -> None:
    world = unkeyed()
    probe = definition()
    probe["ops"][0]["args"]["cmd"] = ""
    world.enqueue(probe)
    stamped = len(world.parts.store.document(JobId(f"job_{1:024x}")) or b"")
    probe["ops"][0]["args"]["cmd"] = "x" * (DEFINITION_AT_MOST - stamped)
    world.enqueue(probe)
    probe["ops"][0]["args"]["cmd"] += "x"
    with pytest.raises(InvalidRequest, match="larger than 262144 bytes with the dispatcher's stamp"):
        world.enqueue(probe)
    assert World().enqueue(probe)


def test_the_hold_of_a_post_that_did_not_land_is_freed_whatever_came_before_it() -> None:
    """A post that was surely not done passes its hold on to the next one."""
    world = unkeyed(
        faults=[
            {"route": "jobs.list", "kind": "rate_limit", "nth": [1], "retry_after": 5},
            {"route": "jobs.list", "kind": "cut", "nth": [1]},  # of those that the first lets through
        ]
    )
    job_id = world.enqueue(definition(runs_for="2h"), timeout="3h")
    world.run_for(60)
    price = world.parts.ledger.view(DEFAULT).held
    world.run_for(POST_PATIENCE)
    job = world.job(job_id)
    assert (job.posts, job.state) == (3, State.RUNNING)
    assert world.parts.ledger.view(DEFAULT).held == price == job.spend.posted
