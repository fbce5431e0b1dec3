"""Frozen accounts: nothing new is begun, what runs is told and can be stopped, a person thaws."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from dispatcher.domain.errors import NotPossible, SettingsError
from dispatcher.domain.ids import AccountName
from dispatcher.domain.words import Reason, State
from dispatcher.engine import alarm
from dispatcher.engine.freezing import freeze, thaw
from tests.engine.audit import audit, remotes
from tests.engine.test_crashes import Killed, Tripwire, wired
from tests.world import World, definition

DEFAULT = AccountName("default")


def frozen_logs(logs: list[Any]) -> list[Any]:
    return [line for line in logs if line["event"] == "account_frozen"]


def test_a_balance_below_zero_is_told_once_with_the_jobs_that_run_on() -> None:
    world = World(accounts={"default": "1", "other": "1"})
    running = [world.enqueue(definition(f"{number}", runs_for="50m"), timeout="1h") for number in range(3)]
    world.enqueue(definition("theirs", runs_for="50m"), timeout="1h", account="other")
    world.run_for(60)
    world.credit("default", "-5")
    with capture_logs() as logs:
        waiting = [world.enqueue(definition(f"late {number}", runs_for="5m")) for number in range(3)]
        world.run_for(1800)

    (told,) = frozen_logs(logs)
    assert (told["log_level"], told["account"], told["balance_usd"]) == ("error", "default", "-4.144")
    assert (told["running_jobs"], set(told["running_job_ids"])) == (3, set(running))
    for job_id in waiting:
        job = world.job(job_id)
        assert (job.state, job.reason) == (State.ENQUEUED, Reason.ACCOUNT_FROZEN)
        assert job.wait is not None
        assert "`dispatcher account thaw default`" in job.wait.detail
        assert "$-4.144: credit was clawed back" in job.wait.detail
        assert len(world.kinds(job_id)) < 15
    assert {world.job(job_id).state for job_id in running} == {State.RUNNING}


def test_many_running_jobs_are_counted_and_some_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm, "_NAMED", 2)
    monkeypatch.setattr(alarm, "_CHUNK", 3)
    world = World(accounts={"default": "1", "other": "1"})
    for number in range(7):
        world.enqueue(definition(f"{number}", runs_for="9m"), account="other" if number % 3 else "default")
    world.run_for(60)
    running = alarm.running_jobs(world.parts, DEFAULT)

    assert (running.count, len(running.ids)) == (3, 2)
    assert all(world.job(job_id).spec.account == DEFAULT for job_id in running.ids)


def test_a_frozen_account_stays_so_until_it_is_thawed_with_enough_on_it() -> None:
    world = World(accounts={"default": "1"})
    job_id = world.enqueue(definition(runs_for="5m"), timeout="5m")
    world.credit("default", "-2")
    world.run_for(10)
    with pytest.raises(NotPossible, match=r"balance is \$-1.000. Ask the network"):
        thaw(world.parts, DEFAULT)
    world.credit("default", "2")
    world.run_for(1800)
    assert world.job(job_id).reason is Reason.ACCOUNT_FROZEN

    assert thaw(world.parts, DEFAULT).frozen is None
    world.work()
    assert world.job(job_id).posts == 1
    assert thaw(world.parts, DEFAULT).frozen is None
    world.run()
    audit(world)


def test_thawing_wakes_by_priority_and_only_as_many_as_are_paid() -> None:
    world = World(accounts={"default": "0.009"})
    freeze(world.parts, DEFAULT, "", by="me")
    low, high, normal = (
        world.enqueue(definition(f"{number}", runs_for="5m"), timeout="5m", priority=priority)
        for number, priority in enumerate((-1, 5, 0))
    )
    world.run_for(60)
    thaw(world.parts, DEFAULT)
    world.work()

    assert [world.job(job_id).posts for job_id in (high, normal, low)] == [1, 1, 0]
    assert "woken" not in world.kinds(low)


def test_by_hand_with_a_reason() -> None:
    world = World()
    with capture_logs() as logs:
        first = freeze(world.parts, DEFAULT, "  looks\nodd " + "x" * 500, by="ada")
        again = freeze(world.parts, DEFAULT, "another", by="bob")
    job_id = world.enqueue(definition(runs_for="5m"))
    world.run_for(60)

    assert first == again
    assert (first.by, first.reason[:12], len(first.reason)) == ("ada", "looks odd xx", 200)
    assert [line["log_level"] for line in frozen_logs(logs)] == ["warning"]
    wait = world.job(job_id).wait
    assert wait is not None
    assert "looks odd" in wait.detail
    assert not world.network.jobs
    with pytest.raises(SettingsError, match="nobody"):
        freeze(world.parts, AccountName("nobody"), "", by="ada")
    with pytest.raises(SettingsError, match="nobody"):
        thaw(world.parts, AccountName("nobody"))


def test_stops_go_on_and_extensions_do_not() -> None:
    world = World()
    extends = {"extend": {"by": "10m"}}
    runs_out = world.enqueue(definition("1", runs_for="50m"), policies=extends)
    stopped = world.enqueue(definition("2", runs_for="50m"), timeout="1h")
    world.run_for(60)
    freeze(world.parts, DEFAULT, "", by="me")
    world.stop(stopped)
    world.run_for(900)

    assert (world.job(stopped).state, world.job(stopped).reason) == (State.STOPPED, Reason.OPERATOR)
    job = world.job(runs_out)
    assert (job.state, job.reason, job.extends) == (State.STOPPED, Reason.ACCOUNT_FROZEN, 0)
    audit(world)


def test_an_extension_is_made_at_once_when_the_account_is_thawed_in_time() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="15m"), policies={"extend": {"by": "10m"}})
    world.run_for(60)
    freeze(world.parts, DEFAULT, "", by="me")
    world.run_for(520)
    assert world.job(job_id).reason is Reason.ACCOUNT_FROZEN
    thaw(world.parts, DEFAULT)
    world.work()
    assert world.job(job_id).extends == 1
    world.run()
    audit(world)


@pytest.mark.parametrize(("written_down", "posts"), [(True, 1), (False, 0)], ids=["written down", "not yet"])
def test_a_call_that_was_written_down_goes_on_under_its_key(written_down: bool, posts: int) -> None:
    """The worker dies before it posts: before or after the call was written down; then the account is frozen."""
    world = World()
    job_id = world.enqueue(definition(runs_for="5m"))

    class Dies(Tripwire):
        def pass_through(self, name: str, call: Callable[[], Any]) -> Any:
            if name == ("network.post" if written_down else "network.pin"):
                raise Killed(name)
            return call()

    plain, world.parts = world.parts, wired(world.parts, Dies())
    with pytest.raises(Killed):
        world.work()
    world.bell.rung.clear()
    world.parts = plain
    freeze(world.parts, DEFAULT, "", by="me")
    world.run_for(3600)

    job = world.job(job_id)
    assert len(remotes(world, job_id)) == job.posts == posts
    if not written_down:
        assert (job.state, job.reason) == (State.PINNED, Reason.ACCOUNT_FROZEN)
        assert world.parts.ledger.view(DEFAULT).held > 0
    thaw(world.parts, DEFAULT)
    world.work()
    assert world.job(job_id).posts == 1
    world.run()
    audit(world)


def test_a_freeze_between_the_look_and_the_hold_holds_nothing() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="5m"))

    class Freezes(Tripwire):
        def pass_through(self, name: str, call: Callable[[], Any]) -> Any:
            if name == "ledger.hold":
                freeze(plain, DEFAULT, "", by="me")
            return call()

    plain, world.parts = world.parts, wired(world.parts, Freezes())
    world.work()
    world.parts = plain
    assert world.job(job_id).reason is Reason.ACCOUNT_FROZEN
    assert world.parts.ledger.view(DEFAULT).held == Decimal(0)


def test_patience_ends_while_the_account_is_frozen() -> None:
    world = World()
    freeze(world.parts, DEFAULT, "", by="me")
    fails = world.enqueue(definition("1"), policies={"credit": {"when_short": "fail"}})
    waits = world.enqueue(definition("2"), policies={"credit": {"wait_at_most": "1h"}})
    world.run_for(3700)

    for job_id in (fails, waits):
        job = world.job(job_id)
        assert (job.state, job.reason) == (State.REJECTED, Reason.ACCOUNT_FROZEN)
    audit(world)


def test_nobody_asks_the_network_for_a_frozen_account() -> None:
    world = World()
    world.enqueue(definition(runs_for="5m"))
    freeze(world.parts, DEFAULT, "", by="me")
    world.run_for(600)

    assert [call.route for call in world.network.ledger.calls if call.route == "credits.balance"] == []
