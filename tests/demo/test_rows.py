"""What the screen shows of a job."""

from dataclasses import replace
from typing import Any

import pytest

from dispatcher.demo.rows import Changes, Row, follow_ups, job_row, last_words, refused_row
from dispatcher.demo.scenario import SCENES
from dispatcher.domain.faults import Fault
from dispatcher.domain.job import Job
from dispatcher.domain.policies import Policies
from dispatcher.domain.view import view
from tests.world import World, definition

SCENE = SCENES[1]


def seen(world: World, **request: Any) -> Job:
    """A job that a host has had for two minutes."""
    job_id = world.enqueue(definition(runs_for="3h", queued_for="0s"), **request)
    world.run_for(120)
    return world.job(job_id)


@pytest.mark.parametrize(
    ("policies", "looked_before", "says"),
    [
        ({"poll": {"every": "5m"}}, 118, "poll 3m"),
        ({"poll": {"every": "5m"}, "extend": {"by": "10m", "margin": "4m"}}, 118, "poll 3m, extend 4m"),
        # What decides is told once, and a poll behind it not at all.
        ({"poll": {"every": "5m"}, "stop": {"after": "4m"}}, 120, "stop 2m"),
        ({"poll": {"every": "1m"}, "stop": {"after": "4m"}}, 90, "poll now, stop 2m"),
        ({"poll": {"every": "1m"}, "stop": {"after": "4m"}}, 23, "poll 45s, stop 2m"),
    ],
)
def test_follow_ups_are_the_next_one_and_the_next_that_decides(
    policies: dict[str, Any], looked_before: float, says: str
) -> None:
    job = seen(World())
    assert job.remote is not None
    assert job.remote.started_at is not None
    now = job.remote.started_at + 120
    remote = job.remote.model_copy(update={"looked_at": now - looked_before, "unchanged_looks": 0})
    spec = job.spec.model_copy(update={"policies": Policies.model_validate(policies)})
    assert follow_ups(job.model_copy(update={"remote": remote, "spec": spec}), now) == says


def test_long_times_are_told_in_minutes_and_a_job_that_is_over_has_none() -> None:
    world = World()
    job = seen(world, timeout="2h", policies={"stop": {"after": "61m"}})
    assert follow_ups(job, world.clock.now()).endswith("stop 59m")
    world.run()
    assert follow_ups(world.job(job.id), world.clock.now()) == ""


def test_a_row_shows_state_reason_extensions_and_costs() -> None:
    world = World()
    job = seen(world, policies={"extend": {"by": "10m"}})
    row = job_row(SCENE, view(job, world.clock.now()), "poll 1m")
    assert row == Row(SCENE.name, SCENE.shows, "running", "", "poll 1m", "", "0.002", "0.008")
    world.stop(job.id)
    world.run()
    over = job_row(SCENE, view(world.job(job.id), world.clock.now()), "")
    assert over.where == "stopped (operator)"
    assert over.over
    assert over.so_far == over.at_most == "0.002"


@pytest.mark.parametrize(("count", "says"), [(1, "rejected (1 fault)"), (3, "rejected (3 faults)")])
def test_a_refused_request_shows_how_many_faults_it_has(count: int, says: str) -> None:
    row = refused_row(SCENE, [Fault("market", "is missing")] * count)
    assert (row.where, row.over, row.so_far) == (says, True, "")


def test_changes_are_told_once() -> None:
    changes, row = Changes(), Row("whisper", "extended twice", "running", so_far="0.010")
    waiting = Row("vllm", "stopped", "")
    extended = replace(row, extends="1", so_far="0.020")
    over = replace(extended, state="stopped", reason="max_cost", extends="2", so_far="0.030", over=True)
    told = [
        changes.since([each, waiting])
        for each in (row, row, replace(row, so_far="0.011"), extended, over, over)
    ]
    assert told == [
        ["whisper        running"],
        [],
        [],
        ["whisper        running, extended once"],
        ["whisper        stopped (max_cost), extended twice, $0.030"],
        [],
    ]


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (None, ""),
        ({"opStates": []}, ""),
        (
            {
                "opStates": [
                    {"logs": [{"type": "stdout", "log": "loading\n"}]},
                    {
                        "logs": [
                            {"type": "stdout", "log": "out of memory\n"},
                            {"type": "stdout", "log": "\n"},
                            {"type": "stderr", "log": "exited with code 1"},
                        ]
                    },
                ]
            },
            "out of memory",
        ),
        ({"opStates": [{"logs": [{"type": "stdout", "log": None}]}, {"exitCode": 1}]}, ""),
    ],
)
def test_last_words_are_the_last_line_that_the_job_wrote_itself(result: Any, says: str) -> None:
    assert last_words(result) == says
