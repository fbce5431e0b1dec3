"""Numbers and names of any size become ones of a size that can be meant, or are refused."""

import json
from typing import Any

import pytest

from dispatcher.domain.errors import MalformedAnswer
from tests.providers.operations import ALL
from tests.providers.records import CREDITS, job_record, market_record
from tests.providers.stand_in import ADDRESS, asked, good, raw

HUGE = "x" * 100_000
ENDLESS = "0." + "1234567890" * 20_000


@pytest.mark.parametrize("name", ["usd_reward_per_hour", "network_fee_percentage"])
def test_a_fraction_without_an_end_is_cut(name: str) -> None:
    market = asked(
        ALL["market"], raw(200, json.dumps(market_record(**{name: 1234567})).replace("1234567", ENDLESS))
    )
    assert 0 < market.rate_per_hour < 1
    assert len(str(market.usd_per_hour)) <= 40
    assert len(str(market.fee_percent)) <= 40


@pytest.mark.parametrize("digits", [12, 400, 4000])
def test_an_exit_code_is_no_larger_than_any_systems(digits: int) -> None:
    flow = {"status": "success", "opStates": [{"exitCode": 10**digits}, {"exitCode": -(10**digits)}]}
    assert asked(ALL["result"], good(flow)).report.exit_code == 2**31 - 1


@pytest.mark.parametrize("field", ["state", "timeout", "timeStart", "timeEnd"])
def test_a_number_that_cannot_be_meant_is_malformed(field: str) -> None:
    with pytest.raises(MalformedAnswer):
        asked(ALL["get"], good(job_record(**{field: 10**12})))


def test_names_are_cut() -> None:
    market = asked(
        ALL["market"], good(market_record(slug=HUGE, name=HUGE, type=HUGE, gpu_types=[HUGE[:1000]] * 5000))
    )
    assert {len(text) for text in (market.slug, market.name, market.kind, *market.gpu_types)} == {120}
    assert len(market.gpu_types) == 200
    answer: dict[str, Any] = {
        "tx": HUGE,
        "job": ADDRESS,
        "run": HUGE,
        "credits": {**CREDITS, "reservationId": HUGE},
    }
    posted = asked(ALL["post"], good(answer))
    assert {len(text) for text in (posted.tx, posted.run, posted.reservation)} == {120}
    assert asked(ALL["post"], good({**answer, "run": "  \x1b "})).run is None
    assert len(asked(ALL["markets"], good([market_record()] * 20_000))) == 10_000
