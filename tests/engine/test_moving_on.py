"""A job that goes from place to place, and what is held for it there: nothing is left behind on any account."""

from dispatcher.domain.ids import AccountName, ProjectAddress
from dispatcher.domain.words import Reason, State
from dispatcher.simulator.conditions import Conditions
from dispatcher.simulator.markets import COMMUNITY_4090, PREMIUM_3060
from dispatcher.simulator.network import Options
from tests.world import World

DEFAULT, SPARE = AccountName("default"), AccountName("spare")
COMMUNITY = "nvidia-4090-community"


def test_what_was_held_for_a_post_that_did_not_land_is_freed_where_it_was_held() -> None:
    """The place at which it was to land asks for too much by then, and the wait begins with the first one again."""
    lost = {"route": "jobs.list", "kind": "cut", "nth": [1]}
    world = World(accounts={"default": "1", "spare": "1"}, options=Options(generation=2), faults=[lost])
    for name in (DEFAULT, SPARE):
        account = world.network.accounts.of_key(f"nos_{name}")
        assert account is not None
        world.parts.store.note_project(name, ProjectAddress(account.project))
    policies = {
        "retry": {"on": ["host_quit"], "elsewhere": [{"market": COMMUNITY, "account": "spare"}]},
        "credit": {"max_rate_per_hour": "0.3"},
    }
    world.network.change_market(PREMIUM_3060, Conditions(usd_per_hour=5))
    job_id = world.enqueue(policies=policies)
    world.run_for(60)
    assert (world.job(job_id).state, world.job(job_id).account) == (State.POSTING, SPARE)
    world.network.change_market(COMMUNITY_4090, Conditions(usd_per_hour=5))
    world.run_for(600)
    assert world.job(job_id).reason is Reason.AWAITING_PRICE
    assert world.parts.ledger.view(SPARE).held == 0
    world.network.change_market(PREMIUM_3060, Conditions())
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    assert world.parts.ledger.view(SPARE).held == world.parts.ledger.view(DEFAULT).held == 0
