"""What operators see and do: `dispatcher dead`, and the other commands on jobs in trouble."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import fakeredis
import pytest
import structlog
from click.testing import CliRunner, Result

from dispatcher import client, letters
from dispatcher.cli import main
from dispatcher.domain.errors import NotPossible
from dispatcher.domain.ids import JobId
from dispatcher.domain.words import Reason, State
from dispatcher.store.redis import RedisLedger, RedisStore
from tests.engine.audit import audit
from tests.engine.test_dead_letters import damage, killed, run_through_damage
from tests.engine.test_poison import Poison
from tests.world import World, definition


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World()
    for module in (client, letters):
        monkeypatch.setattr(module, "_parts", lambda: world.parts)
    with structlog.testing.capture_logs():
        yield world


@pytest.fixture
def poison(world: World, monkeypatch: pytest.MonkeyPatch) -> Poison:
    return Poison(world, monkeypatch)


@pytest.fixture
def running(world: World, poison: Poison) -> JobId:
    """A dead letter that runs on the network."""
    job_id = world.enqueue(definition(runs_for="3h"), timeout="1h")
    world.run_for(120)
    return killed(world, poison, job_id)


def call(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def call_json(*words: str, code: int = 0) -> Any:
    return json.loads(call(*words, "--json", code=code).stdout)


def test_without_dead_letters_there_is_nothing_to_do(world: World) -> None:
    assert call_json("dead", "list") == []
    assert call("dead", "retry", "--all").stdout == "no dead letters\n"
    job_id = world.enqueue()
    assert "no dead letter" in call("dead", "show", job_id, code=1).stderr
    assert "no dead letter" in call("dead", "retry", job_id, code=1).stderr
    assert "no job 'job_x'" in call("dead", "show", "job_x", code=1).stderr
    assert call_json("dead", "retry", job_id, code=1) == {"retried": [], "not_dead": [job_id]}
    call("dead", "retry", code=2)
    call("dead", "retry", job_id, "--all", code=2)


def test_a_dead_letter_is_listed_and_shown_with_what_it_can_cost(world: World, running: JobId) -> None:
    address = world.job(running).remote.address  # type: ignore[union-attr]
    [letter] = call_json("dead", "list")
    assert letter["id"] == running
    assert letter["crashes"] == 5
    assert letter["reason"].startswith("Poisoned: ")
    assert running in call("dead", "list").stdout

    seen = call_json("dead", "show", running)
    assert seen["dead"]
    assert seen["readable"]
    assert seen["record"] is None
    assert seen["job"]["dead"]["crashes"] == 5
    assert seen["job"]["next"] is None
    assert seen["traceback"].startswith("Traceback (most recent call last)")
    assert address in seen["alive"]
    text = call("dead", "show", running).stdout
    for words in ("Poisoned", "Traceback", address, "$0.048", f"dead retry {running}", "running"):
        assert words in text


def test_the_other_commands_say_that_it_is_dead(world: World, running: JobId) -> None:
    [listed] = call_json("jobs")
    assert listed["dead"]["crashes"] == 5
    assert "dead: Poisoned" in call("jobs").stdout
    shown = call("show", running).stdout
    assert "nothing, until `dispatcher dead retry" in shown
    assert "after 5 crashes" in shown
    assert "dead letter" in call("extend", running, "10m", code=1).stderr
    with pytest.raises(NotPossible, match="dead letter"):
        client.get_job(running).wait("5s")


def test_a_job_that_will_be_tried_again_says_so(world: World, poison: Poison) -> None:
    job_id = world.enqueue()
    poison.put(job_id, lambda job, action: True, times=1)
    with pytest.raises(Exception, match="nos_"):
        world.work()
    assert "1 times in a row, last Poisoned" in call("show", job_id).stdout
    seen = call_json("dead", "show", job_id)
    assert (seen["dead"], seen["crashes"]) == (False, 1)
    assert "tried again at 2027-01-15T08:00:02Z" in call("dead", "show", job_id).stdout
    assert client.get_job(job_id).view()["crashed"]["retry_at"] == "2027-01-15T08:00:02Z"


def test_a_stop_says_that_it_brings_the_job_back(world: World, running: JobId) -> None:
    assert "it was a dead letter, and is tried again for this" in call("stop", running).stdout
    world.run()
    assert world.job(running).reason is Reason.OPERATOR
    audit(world)


@pytest.mark.parametrize("words", [("--all",), ()])
def test_dead_letters_are_tried_again(world: World, running: JobId, words: tuple[str, ...]) -> None:
    assert "is tried again" in call("dead", "retry", *(words or (running,))).stdout
    world.run()
    assert world.job(running).state is State.STOPPED
    audit(world)


def test_a_handle_tries_its_job_again(world: World, running: JobId) -> None:
    handle = client.get_job(running)
    assert handle.is_dead
    assert handle.retry_dead()
    assert not handle.retry_dead()


def test_a_drop_needs_the_operators_word_for_what_may_run(world: World, running: JobId) -> None:
    refused = call("dead", "drop", running, code=1)
    assert "it runs until" in refused.stderr
    assert call_json("dead", "list") != []
    assert call_json("dead", "drop", running, "--running") == {
        "id": running,
        "dropped": True,
        "settled_usd": "0.048",
    }
    assert call_json("dead", "list") == []
    assert world.job(running).reason is Reason.DROPPED


def test_one_that_cannot_be_dropped_keeps_no_other_from_it(
    world: World, running: JobId, poison: Poison
) -> None:
    other = killed(world, poison, world.enqueue())
    result = call("dead", "drop", running, other, code=1)
    assert f"{other}  dropped; settled at $0.000" in result.stdout
    assert world.job(other).reason is Reason.DROPPED


# --- what cannot be read ----------------------------------------------------------------------------------


@pytest.fixture
def unreadable(world: World) -> JobId:
    """A job that runs on the network and whose record cannot be read; there is another one, that can."""
    fake = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    world.parts = replace(world.parts, store=RedisStore(fake, "test"), ledger=RedisLedger(fake, "test"))
    world.enqueue()
    job_id = world.enqueue(definition(runs_for="3h"), timeout="1h")
    world.run_for(120)
    damage(fake, job_id)
    fake.rpush(f"test:log:{job_id}", "{")
    return job_id


def test_a_record_that_cannot_be_read_breaks_no_list(world: World, unreadable: JobId) -> None:
    listed = {job["id"]: job for job in call_json("jobs")}
    assert listed[unreadable]["reason"] == "unreadable"
    assert len(listed) == 2
    assert "unreadable" in call("jobs").stdout
    assert "dispatcher dead show" in call("show", unreadable, code=1).stderr
    seen = call_json("dead", "show", unreadable)
    assert (seen["dead"], seen["readable"], seen["job"]) == (False, False, None)
    assert seen["record"].startswith('{"id":')
    assert "nothing of it can be read" in seen["alive"]


def test_its_events_are_told_but_for_what_cannot_be_read(world: World, unreadable: JobId) -> None:
    lines = call("events", unreadable, "--json").stdout.splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    assert kinds[0] == "enqueued"
    assert kinds[-1] == "unreadable"
    assert "of a newer version, or damaged" in call("events", unreadable).stdout
    assert "no job" in call("events", "job_x", code=1).stderr


def test_its_stop_is_noted_and_keeps_no_other_from_being_sent(world: World, unreadable: JobId) -> None:
    [other] = [job.id for job in world.parts.store.list_jobs()]
    result = call("stop", unreadable, other, code=1)
    assert "is noted, but not sent" in result.stderr
    run_through_damage(world)
    seen = call_json("dead", "show", unreadable)
    assert seen["dead"]
    assert seen["reason"].startswith("UnreadableRecord: the record of")
    assert "cannot be read; what follows is what its log says" in call("dead", "show", unreadable).stdout
    assert "dead: UnreadableRecord" in call("jobs").stdout
    assert "may be on the network" in call("dead", "drop", unreadable, code=1).stderr
    assert "could not be read" in call("dead", "drop", unreadable, "--running").stdout
    assert "it was dropped at" in call("dead", "show", unreadable).stdout
    assert "  dropped  " in call("jobs").stdout
