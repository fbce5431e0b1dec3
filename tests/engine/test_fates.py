"""What becomes of jobs, from request to receipt, against the simulated network on a fake clock."""

from decimal import Decimal

import pytest

from dispatcher.domain.errors import InvalidRequest, NotPossible, RequestConflict, UnknownJob
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.money import price
from dispatcher.domain.words import Reason, State
from tests.world import World, definition

RATE = Decimal("0.04796")
DEFAULT = AccountName("default")


def settled(world: World) -> Decimal:
    """What the network says the account's jobs cost."""
    return world.parts.providers.account(DEFAULT).balance().settled


def assert_accounts_closed(world: World) -> None:
    """Nothing is held or reserved any more, and both ledgers name the same sum."""
    balance = world.parts.providers.account(DEFAULT).balance()
    view = world.parts.ledger.view(DEFAULT)
    assert balance.reserved == 0
    assert view.held == 0
    assert view.settled == balance.settled


def test_a_job_completes_by_itself_and_costs_the_time_it_ran() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="5m"))
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.COMPLETED, Reason.FINISHED)
    assert job.ending is not None
    assert job.ending.exit_code == 0
    assert job.spend.settled == price(RATE, 300) == settled(world)
    assert job.posts == 1
    assert world.parts.store.result(job_id) is not None
    assert world.kinds(job_id)[:6] == [
        "enqueued",
        "credit_held",
        "pinned",
        "call_intended",
        "posted",
        "observed",
    ]
    world.check_log(job_id)
    assert_accounts_closed(world)


def test_a_job_is_extended_before_it_runs_out_until_it_completes() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="25m"), policies={"extend": {"by": "10m"}})
    world.run()
    job = world.job(job_id)
    assert job.state is State.COMPLETED
    assert job.extends == 2
    assert job.spend.posted == 3 * price(RATE, 600)
    assert job.spend.settled == price(RATE, 1500) == settled(world)
    world.check_log(job_id)
    assert_accounts_closed(world)


def test_a_stop_policy_ends_the_job_at_its_deadline() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="3h"), timeout="2h", policies={"stop": {"after": "30m"}})
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.STOPPED, Reason.STOP_AFTER)
    assert job.remote is not None
    assert job.remote.timeout == 1860  # no more was posted than the policy and its grace need
    ran = job.remote.ended_at - job.remote.started_at  # type: ignore[operator]
    assert 1800 <= ran <= 1802
    assert job.spend.settled == settled(world)
    assert_accounts_closed(world)


def test_a_stop_at_a_time_holds_before_posting_too() -> None:
    world = World(accounts={"default": "0"})
    job_id = world.enqueue(policies={"stop": {"at": "2027-01-15T12:00:00Z"}})  # 1800014400
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.STOPPED, Reason.STOP_AT)
    assert job.spend.settled == 0
    assert job.posts == 0


def test_a_budget_stops_the_job_before_it_costs_more() -> None:
    world = World()
    job_id = world.enqueue(
        definition(runs_for="10h"), policies={"extend": {"by": "10m"}, "stop": {"max_cost": "0.02"}}
    )
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.STOPPED, Reason.MAX_COST)
    assert job.spend.posted <= Decimal("0.02")
    assert Decimal("0.018") <= job.spend.settled <= Decimal("0.02")  # type: ignore[operator]
    assert "stop_confirmed" in world.kinds(job_id)
    assert_accounts_closed(world)


def test_an_operator_stops_a_running_job() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="3h"), timeout="4h")
    world.run_for(600)
    world.stop(job_id)
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.STOPPED, Reason.OPERATOR)
    assert job.stop is not None
    assert job.stop.by == "tester"
    assert job.spend.settled == settled(world)
    assert_accounts_closed(world)


def test_an_operator_stops_a_queued_job_and_nothing_is_paid() -> None:
    world = World()
    job_id = world.enqueue(definition(queued_for="2h"))
    world.run_for(60)
    assert world.job(job_id).state is State.QUEUED
    world.stop(job_id)
    world.run()
    job = world.job(job_id)
    assert (job.state, job.spend.settled) == (State.STOPPED, 0)
    assert_accounts_closed(world)


def test_a_job_stopped_before_it_was_posted_never_reaches_the_network() -> None:
    world = World(accounts={"default": "0"})
    job_id = world.enqueue()
    world.run_for(60)
    world.stop(job_id)
    world.run()
    assert world.job(job_id).state is State.STOPPED
    assert world.job(job_id).posts == 0


def test_a_job_waits_for_credit_and_is_woken_when_it_arrives() -> None:
    world = World(accounts={"default": "0"})
    job_id = world.enqueue()
    world.run_for(3600)
    waiting = world.job(job_id)
    assert (waiting.state, waiting.reason) == (State.ENQUEUED, Reason.AWAITING_CREDIT)
    assert waiting.wait is not None
    assert "0.008" in waiting.wait.detail
    world.credit("default", "1")
    arrived = world.clock.at
    world.run_for(11)
    assert world.job(job_id).state in {State.QUEUED, State.RUNNING}
    assert world.clock.at - arrived <= 11
    assert "woken" in world.kinds(job_id)  # not its own slow ladder, which was minutes away
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    assert_accounts_closed(world)


def test_a_job_that_may_not_wait_for_credit_is_rejected() -> None:
    world = World(accounts={"default": "0"})
    at_once = world.enqueue(policies={"credit": {"when_short": "fail"}})
    later = world.enqueue(policies={"credit": {"wait_at_most": "1h"}})
    world.run()
    for job_id in (at_once, later):
        assert (world.job(job_id).state, world.job(job_id).reason) == (State.REJECTED, Reason.NO_CREDIT)
    assert world.job(later).updated_at - world.job(later).created_at >= 3600


def test_a_bad_definition_is_refused_and_nothing_is_stored() -> None:
    world = World()
    with pytest.raises(InvalidRequest) as refused:
        world.enqueue(
            {"version": "0.1", "type": "container", "ops": [{"type": "container/run", "id": "a", "args": {}}]}
        )
    assert [fault.path for fault in refused.value.faults] == ["definition.ops[0].args"]
    assert world.parts.store.list_jobs() == []


def test_a_job_that_fails_on_the_network_is_reported_with_its_exit_code() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="2m", exit_code=3))
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.FAILED, Reason.EXIT_CODE)
    assert job.ending is not None
    assert job.ending.exit_code == 3
    assert job.spend.settled == price(RATE, 120)
    assert_accounts_closed(world)


def test_a_time_out_that_reports_success_is_not_taken_for_one() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="3h"), timeout="10m")
    world.run()
    assert (world.job(job_id).state, world.job(job_id).reason) == (State.STOPPED, Reason.TIMED_OUT)
    assert world.job(job_id).spend.settled == price(RATE, 600)


def test_a_host_that_quits_is_told_from_a_stop() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="1h", host_quits_after="5m"), timeout="2h")
    world.run()
    assert (world.job(job_id).state, world.job(job_id).reason) == (State.FAILED, Reason.HOST_QUIT)


def test_a_job_that_no_host_takes_is_stopped() -> None:
    world = World()
    job_id = world.enqueue(definition(queued_for="5h"), policies={"stop": {"queued_longer_than": "1h"}})
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason, job.spend.settled) == (State.STOPPED, Reason.QUEUED_TOO_LONG, 0)
    assert_accounts_closed(world)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"market": "no-such-market"}, Reason.REFUSED),
        ({"policies": {"stop": {"max_cost": "0.0001"}}}, Reason.MAX_COST),
    ],
)
def test_what_the_network_or_the_policies_do_not_allow_is_rejected(
    fields: dict[str, object], reason: Reason
) -> None:
    world = World()
    job_id = world.enqueue(**fields)
    world.run()
    assert (world.job(job_id).state, world.job(job_id).reason) == (State.REJECTED, reason)
    assert world.job(job_id).ending.detail  # type: ignore[union-attr]
    assert_accounts_closed(world)


def test_the_same_request_id_gives_the_same_job() -> None:
    world = World()
    first = world.enqueue(request_id="k1")
    assert world.enqueue(request_id="k1") == first
    with pytest.raises(RequestConflict, match="k1"):
        world.enqueue(request_id="k1", timeout="11m")
    world.run()
    assert len(world.network.jobs) == 1


def test_the_same_definition_is_pinned_once() -> None:
    world = World()
    for _ in range(3):
        world.enqueue()
    world.run()
    pins = [call for call in world.network.ledger.calls if call.route == "ipfs.pin"]
    assert len(pins) == 1
    assert len(world.network.jobs) == 3


def test_an_operator_extends_a_job_once() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="12m"), timeout="10m")
    world.run_for(120)
    world.extend(job_id, 300)
    world.run()
    job = world.job(job_id)
    assert (job.state, job.extends) == (State.COMPLETED, 1)
    assert job.spend.posted == price(RATE, 600) + price(RATE, 300)
    with pytest.raises(NotPossible, match="completed"):
        world.extend(job_id, 300)


def test_operators_are_told_what_cannot_be_done() -> None:
    world = World()
    job_id = world.enqueue(policies={"stop": {"max_cost": "0.01"}})
    with pytest.raises(NotPossible, match="not on the network"):
        world.extend(job_id, 60)
    world.run_for(60)
    with pytest.raises(NotPossible, match="max_cost"):
        world.extend(job_id, 3600)
    with pytest.raises(UnknownJob):
        world.stop(JobId("job_none"))


def test_a_market_without_a_price_is_rejected_with_the_way_out() -> None:
    world = World()
    priceless = [m for m in world.parts.providers.account(DEFAULT).markets() if m.rate_per_hour is None]
    assert priceless
    for market in priceless:
        job_id = world.enqueue(market=market.slug)
        world.run()
        assert world.job(job_id).reason is Reason.NO_PRICE


def test_an_extension_that_landed_without_an_answer_is_in_the_final_cost() -> None:
    """A stop overtakes it: nobody ever hears of the extension, but the network settles its time."""
    lost = [{"route": "jobs.extend", "kind": "lose_answer"}]
    world = World(faults=lost)
    job_id = world.enqueue(definition(runs_for="3h"), policies={"extend": {"by": "10m", "max_times": 1}})
    world.run_for(700)
    assert world.job(job_id).extends == 0
    world.stop(job_id)
    world.run()
    job = world.job(job_id)
    assert job.spend.settled == settled(world) > job.spend.posted
    assert_accounts_closed(world)
