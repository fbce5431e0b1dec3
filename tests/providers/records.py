"""Answers as the API gives them, to be changed in one place at a time."""

from typing import Any

from tests.providers.stand_in import ADDRESS, CID, MARKET, NODE


class _Missing:
    """Its name, and not its address, is in the tests' names: every process must collect the same ones."""

    def __repr__(self) -> str:
        return "missing"


MISSING: Any = _Missing()

CREDITS = {"costUSD": 0.024, "creditsUsed": 24, "reservationId": "09ded125", "project": NODE}


def changed(fields: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """`fields` with `changes`; a `MISSING` one is left out."""
    return {name: value for name, value in {**fields, **changes}.items() if value is not MISSING}


def market_record(**changes: Any) -> dict[str, Any]:
    usual = {
        "address": MARKET,
        "slug": "nvidia-3060",
        "name": "NVIDIA 3060",
        "type": "PREMIUM",
        "usd_reward_per_hour": 0.0436,
        "network_fee_percentage": 10,
        "gpu_types": ["NVIDIA GeForce RTX 3060"],
        "lowest_vram": 12,
        "a_field_of_tomorrow": {"x": 1},
    }
    return changed(usual, **changes)


def listed_record(**changes: Any) -> dict[str, Any]:
    return changed({**job_record(id=7, address=ADDRESS, project=NODE), **changes})


def job_record(**changes: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "ipfsJob": CID,
        "ipfsResult": None,
        "market": MARKET,
        "node": NODE,
        "state": 1,
        "jobStatus": None,
        "jobResult": None,
        "timeStart": 1795298401,
        "timeEnd": 0,
        "timeout": 1800,
        "usdRewardPerHour": 0.0436,
        "listedAt": 1795298400,
        "a_field_of_tomorrow": [],
    }
    return changed(usual, **changes)
