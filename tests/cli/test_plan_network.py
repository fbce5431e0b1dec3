"""A plan with the network's own prices: of the request's market, and of those where further attempts may go."""

from decimal import Decimal
from typing import Any

import pytest

from dispatcher import planning
from dispatcher.client import plan
from dispatcher.domain.planned import planned_view
from tests.world import World, definition


def told(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> dict[str, Any]:
    world = World()
    monkeypatch.setattr(planning, "_parts", lambda: world.parts)
    request = {"definition": definition(), "market": "nvidia-3060", "timeout": "1h", **fields}
    return planned_view(plan(request, runs_for="10m", exit_code=1))


def test_the_prices_of_all_places_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    places = [{"market": "nvidia-4090-community"}, {"market": "mispriced"}, {"market": "no-such-market"}]
    here = told(monkeypatch)
    elsewhere = told(monkeypatch, policies={"retry": {"on": ["exit_code"], "elsewhere": places}})

    assert here["cost"]["unattended_usd"] == "0.048"
    assert Decimal(elsewhere["cost"]["unattended_usd"]) > Decimal("0.2")  # an hour on the dearer market
    assert Decimal(elsewhere["cost"]["expected_usd"]) > 2 * Decimal(here["cost"]["expected_usd"])


@pytest.mark.parametrize("market", ["unpriced", "mispriced"])
def test_a_market_without_a_usable_price_is_a_conflict(monkeypatch: pytest.MonkeyPatch, market: str) -> None:
    seen = told(monkeypatch, market=market)

    assert not seen["can_run"]
    assert [conflict["path"] for conflict in seen["conflicts"]] == ["market"]
