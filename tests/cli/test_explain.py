"""`dispatcher explain`, as an operator at night and a program see it."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from dispatcher import client
from dispatcher.cli.main import main
from dispatcher.domain.planner import RULES
from tests.world import World, definition


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(accounts={"default": "100", "poor": "0"})
    monkeypatch.setattr(client, "_parts", lambda: world.parts)
    return world


def explained(job_id: str, *words: str) -> str:
    result = CliRunner().invoke(main, ["explain", job_id, *words])
    assert result.exit_code == 0, result.output
    return result.stdout


def as_json(job_id: str) -> Any:
    return json.loads(explained(job_id, "--json"))


ASKED = {"extend": {"by": "30m", "max_times": 9}, "stop": {"after": "3h", "max_cost": "2.50"}}


def test_a_running_job_in_words(world: World) -> None:
    job_id = world.enqueue(definition(runs_for="5h", queued_for=30), timeout="30m", policies=ASKED)
    world.run_for(1000)
    text = explained(job_id)
    for line in (
        f"{job_id} is running (running) since 2027-01-15T08:00:30Z",
        ": ask the network how the job is (rule poll)\nunder         poll.every 30s, ",
        "cost so far   $0.013",
        "at most now   $0.024  (if every dispatcher process died now)",
        "at most ever  $0.145",
        "If the host goes on to the limit: stopped (stop_after) at 2027-01-15T11:00:",
        ", costs $0.144",
        "calls: 1 post (1 answered)",
    ):
        assert line in text
    assert "extend.by 30m, margin 3m: 10 % of by, at the deadline 08:30:30Z minus 3m" in text
    assert "settle_post  " not in text
    assert "settle_post  " in explained(job_id, "--all")


def test_a_running_job_as_json(world: World) -> None:
    job_id = world.enqueue(definition(runs_for="5h", queued_for=30), timeout="30m", policies=ASKED)
    world.run_for(1000)
    told, seen = as_json(job_id), client.get_job(job_id).view()
    assert [entry["rule"] for entry in told["agenda"]] == [rule.__name__ for rule in RULES]
    (winner,) = [entry for entry in told["agenda"] if entry["wins"]]
    assert told["next"]["in"].startswith("in ")
    assert told["next"] == {
        "at": seen["next"]["at"],
        "in": told["next"]["in"],
        "action": "ask the network how the job is",
        "rule": "poll",
        "says": winner["says"],
        "follow_up": "poll",
        "policy": "poll.every",
        "under": winner["under"],
        "remark": None,
    }
    (outlook,) = told["outlooks"]
    assert (outlook["state"], outlook["reason"], outlook["cost_usd"]) == ("stopped", "stop_after", "0.144")
    assert [step["policy"] for step in outlook["steps"][:2]] == ["extend.by", "extend.by"]
    assert told["cost"]["allowed_usd"] == "0.145"
    assert told == client.get_job(job_id).explain()


def test_a_job_that_waits(world: World) -> None:
    job_id = world.enqueue(account="poor", policies={"credit": {"wait_at_most": "12h"}})
    world.run_for(60)
    text = explained(job_id)
    assert "waits: it needs $0.008 on account poor; $0.000 is there" in text
    assert "If credit does not come: rejected (no_credit) at 2027-01-15T20:00:00Z, costs $0.000" in text
    assert (
        "If credit is there at its next try, and the host goes on to the limit: stopped (timed_out)" in text
    )
    assert "the price of 10m, which is asked when the credits are held" in text


def test_a_job_that_is_over(world: World) -> None:
    job_id = world.enqueue()
    world.run()
    text = explained(job_id)
    assert f"{job_id} is completed (finished)" in text
    assert "cost  $0.004, settled" in text
    assert "rules in their order" not in text
    assert "next" not in text


def test_an_unknown_job(world: World) -> None:
    result = CliRunner().invoke(main, ["explain", "job_x"])
    assert result.exit_code == 1
    assert result.stderr == "error: no job 'job_x': `dispatcher jobs` lists those that are kept\n"
