"""The scenes, played through on a fake clock: they end as the demo says that they must."""

from decimal import Decimal

import pytest

from dispatcher.demo.scenario import ARRIVING, CREDITS, FAULTS, SCENES, Scene, definition
from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.job import Job
from dispatcher.domain.request import JobRequest
from dispatcher.domain.words import Reason, State
from tests.world import World

NOW = 1_800_000_000.0


def test_every_kind_of_fate_is_shown() -> None:
    fates = {(scene.fate.state, reason) for scene in SCENES for reason in scene.fate.reasons}
    assert len(SCENES) >= 8
    assert len({scene.name for scene in SCENES}) == len(SCENES)
    assert fates >= {
        (State.COMPLETED, Reason.FINISHED),
        (State.STOPPED, Reason.STOP_AT),
        (State.STOPPED, Reason.MAX_COST),
        (State.STOPPED, Reason.OPERATOR),
        (State.REJECTED, Reason.REFUSED),
        (State.FAILED, Reason.EXIT_CODE),
    }
    assert 2 in {scene.fate.extends for scene in SCENES if scene.fate.state is State.COMPLETED}


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_a_definition_is_valid_unless_its_scene_is_about_that(scene: Scene) -> None:
    if scene.fate.state is State.REJECTED:
        with pytest.raises(InvalidRequest) as caught:
            JobRequest(**scene.request(NOW))
        assert len(caught.value.faults) == 4
        assert all(fault.path.startswith("definition.ops[0]") for fault in caught.value.faults)
    else:
        assert JobRequest(**scene.request(NOW)).definition == definition(scene.name)


def play(world: World) -> dict[str, JobId]:
    """All scenes at once, as the demo does it; the operator and the credit come at their times."""
    jobs: dict[str, JobId] = {}
    for scene in SCENES:
        if scene.fate.state is not State.REJECTED:
            fields = scene.request(world.clock.now())
            jobs[scene.name] = world.enqueue(fields.pop("definition"), **fields)
    left = [scene for scene in SCENES if scene.operator_after or scene.credit_after]
    for _ in range(400):
        world.run_for(12)
        left = [scene for scene in left if not intervene(world, scene, world.job(jobs[scene.name]))]
    assert left == []
    assert world.live() == []
    return jobs


def intervene(world: World, scene: Scene, job: Job) -> bool:
    """What comes from outside, if its time has come."""
    now = world.clock.now()
    ran = now - job.remote.started_at if job.remote and job.remote.started_at else 0.0
    waited = now - job.wait.since if job.wait and job.wait.reason is Reason.AWAITING_CREDIT else 0.0
    if scene.operator_after is not None and ran >= scene.operator_after.total_seconds():
        world.stop(job.id)
        return True
    if scene.credit_after is not None and waited >= scene.credit_after.total_seconds():
        world.credit(scene.account, str(ARRIVING))
        return True
    return False


def test_the_scenes_end_as_they_should_and_the_books_agree() -> None:
    world = World(
        accounts={name: str(amount) for name, amount in CREDITS.items()}, faults=[dict(f) for f in FAULTS]
    )
    jobs = play(world)
    for scene in SCENES:
        if scene.name in jobs:
            job = world.job(jobs[scene.name])
            assert scene.fate.fits(job.state, job.reason, job.extends), (
                scene.name,
                job.state,
                job.reason,
                job.extends,
            )
            assert job.posts == 1
    cost = sum((world.job(job_id).spend.settled or Decimal(0) for job_id in jobs.values()), Decimal(0))
    views = [world.parts.providers.account(AccountName(name)).balance() for name in CREDITS]
    assert sum(CREDITS.values()) + ARRIVING - sum(view.available for view in views) == cost > Decimal("0.5")
    assert world.network.ledger.faults["lose_answer"] == 3
    assert world.network.ledger.duplicates == []


def test_the_budget_is_kept_and_used() -> None:
    world = World(accounts={name: str(amount) for name, amount in CREDITS.items()})
    jobs = play(world)
    settled = world.job(jobs["lora-training"]).spend.settled
    assert settled is not None
    assert Decimal("0.48") < settled <= Decimal("0.50")
