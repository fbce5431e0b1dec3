"""What is asked of the dispatcher: requests of eight kinds, all from the seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dispatcher.simulator.markets import default_markets

MARKETS = ("nvidia-3060", "nvidia-a100", "nvidia-4090-community")
"""Fifty hosts each."""

_POLL = {"every": "90s", "at_most": "5m"}
_ENDLESS = "10h"
_SHORT = ("finishes", "fails", "stop_after")
"""Kinds that others come after: they are over in time."""

KINDS = {
    "finishes": 28,
    "failover": 8,
    "chain": 4,
    "extended": 20,
    "stop_after": 12,
    "max_cost": 10,
    "operator": 12,
    "fails": 6,
}
"""Each kind with its share, in percent."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One request and what belongs to it. `stop_in`: real seconds from its acceptance to an operator's stop."""

    kind: str
    request: dict[str, Any]
    upfront_usd: Decimal
    stop_in: float | None = None

    @property
    def request_id(self) -> str:
        return str(self.request["request_id"])


def requests(jobs: int, seed: int) -> list[Wanted]:
    """The requests in the order in which they are made: every kind from the first on, those that take longest early."""
    rng = random.Random(f"mix {seed}")
    kinds = [*KINDS, *rng.choices(list(KINDS), weights=list(KINDS.values()), k=jobs)][:jobs]
    kinds.sort(key=lambda kind: rng.random() * (0.6 if kind == "extended" else 1))
    made: list[Wanted] = []
    for number, kind in enumerate(kinds):
        before = [item.request_id for item in made if item.kind in _SHORT]
        # Every second request is sent by the producer who tries again until what it comes after is there.
        is_chain = kind == "chain" and number % 2 == 0 and before
        wanted = _wanted(
            rng, "finishes" if kind == "chain" and not is_chain else kind, f"chaos-{seed}-{number}"
        )
        if is_chain:
            wanted.request["after"] = [{"request_id": rng.choice(before), "on": "any"}]
        made.append(wanted)
    return made


def credit(wanted: Sequence[Wanted], account: str) -> Decimal:
    """What an account gets: `default` more than enough; `poor` half of what its jobs set aside together, so that
    some wait for credit, and far more than they use."""
    if account == "default":
        return Decimal(10_000)
    upfront = sum(item.upfront_usd for item in wanted if item.request["account"] == account)
    return max(Decimal(upfront) / 2, Decimal(2)).quantize(Decimal("0.001"))


def hourly_rates() -> dict[str, Decimal]:
    """US dollars an hour by slug, the network's fee included."""
    return {
        str(market.document["slug"]): Decimal(str(market.usd_per_hour))
        * (100 + market.document["network_fee_percentage"])
        / 100
        for market in default_markets()
        if market.usd_per_hour is not None
    }


def _wanted(rng: random.Random, kind: str, request_id: str) -> Wanted:
    market = rng.choice(MARKETS)
    rate = hourly_rates()[market]
    simulated: dict[str, Any] = {"runs_for": f"{rng.randint(10, 25)}m"}
    policies: dict[str, Any] = {"poll": _POLL}
    timeout, account, stop_in = 60, "default", None
    match kind:
        case "finishes":
            timeout = rng.randint(45, 60)
            account = rng.choice(("default", "default", "poor"))
        case "extended":
            timeout = 30
            simulated["runs_for"] = f"{rng.randint(35, 60)}m"
            policies["extend"] = {"by": "20m", "margin": "10m", "max_runtime": "4h"}
        case "stop_after":
            simulated["runs_for"] = _ENDLESS
            policies["stop"] = {"after": f"{rng.randint(10, 25)}m"}
        case "max_cost":
            timeout = 30
            simulated["runs_for"] = _ENDLESS
            policies["extend"] = {"by": "20m", "margin": "10m"}
            policies["stop"] = {"max_cost": str((rate * rng.randint(22, 45) / 60).quantize(Decimal("0.001")))}
        case "operator":
            simulated["runs_for"] = _ENDLESS
            # Every other stop comes while the post is under way.
            stop_in = rng.uniform(0, 1.5) if rng.random() < 0.5 else rng.uniform(3, 25)
        case "failover":
            # The first host quits; the next attempt goes to another market.
            simulated |= {"host_quits_after": "5m", "only_first": 1}
            others = [{"market": other} for other in MARKETS if other != market]
            policies["retry"] = {"on": ["failed"], "attempts": 4, "backoff": "1s", "elsewhere": others}
        case "chain":
            simulated["runs_for"] = f"{rng.randint(5, 10)}m"
        case "fails":
            simulated["exit_code"] = 3
        case _:
            raise ValueError(kind)
    request = {
        "definition": _definition(request_id, simulated),
        "market": market,
        "timeout": f"{timeout}m",
        "account": account,
        "policies": policies,
        "request_id": request_id,
        "labels": {"kind": kind},
    }
    return Wanted(kind, request, rate * timeout / 60, stop_in)


def _definition(name: str, simulated: dict[str, Any]) -> dict[str, Any]:
    container = {"image": "ubuntu", "cmd": f"echo {name}"}
    return {
        "version": "0.1",
        "type": "container",
        "meta": {"trigger": "chaos", "simulated": simulated},
        "ops": [{"type": "container/run", "id": "main", "args": container}],
    }


def fault_plan() -> list[dict[str, Any]]:
    """Faults in about a fifth of all calls."""
    return [
        {"route": "*", "kind": "lose_answer", "probability": 0.04},
        {"route": "*", "kind": "cut", "probability": 0.04},
        {"route": "*", "kind": "status", "status": 503, "probability": 0.03},
        {"route": "*", "kind": "status", "status": 502, "body": "<html>", "done": True, "probability": 0.02},
        {"route": "*", "kind": "rate_limit", "retry_after": 20, "probability": 0.02},
        {"route": "*", "kind": "slow", "seconds": 1.5, "probability": 0.03},
        {"route": "jobs.*", "kind": "in_progress", "seconds": 20, "probability": 0.05},
        {
            "route": "jobs.*",
            "kind": "in_progress",
            "seconds": 20,
            "outcome": "expired",
            "probability": 0.03,
        },
        {"route": "jobs.*", "kind": "expire_key", "probability": 0.05},
        {"route": "jobs.list", "kind": "list_late", "seconds": 120, "probability": 0.15},
    ]
