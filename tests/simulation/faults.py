"""How bad a seed's days are: which faults, how often, and how the workers stand to each other."""

import random
from dataclasses import dataclass
from typing import Any

_WRITES = ["jobs.list", "jobs.extend", "jobs.stop"]
_ROUTES = [
    *_WRITES,
    "jobs.get",
    "jobs.query",
    "credits.balance",
    "ipfs.pin",
    "ipfs.get",
    "markets.get",
    "jobs.*",
    "*",
]
_ROUTINE = ["lose_answer", "status", "in_progress"]
_OF_KEYS = {"in_progress", "expire_key"}
_KINDS = [*_ROUTINE, *_ROUTINE, "cut", "slow", "rate_limit", "expire_key", "list_late"]


@dataclass(frozen=True, slots=True)
class Dangers:
    """`pauses`, `stalls`, `dies`, `drops`, `doubles`, `stops` are probabilities; `meddling` is operators' acts per job,
    `damage` agenda entries that get lost or are put off, `weather` changes of markets, per job; `lasts` is seconds.
    `budgets` are limits by scope; of labels, and of one of the accounts."""

    accounts: dict[str, str]
    faults: list[dict[str, Any]]
    skews: list[float]
    pauses: float
    stalls: float
    dies: float
    drops: float
    doubles: float
    stops: float
    meddling: float
    busy: int
    lasts: float
    credit: list[str]
    rich_at_last: bool
    claws_back: bool
    damage: float
    weather: float
    budgets: dict[str, str]
    keyed: bool
    requests_per_second: float


def draw_dangers(rng: random.Random, jobs: int) -> Dangers:
    """Some seeds are calm but poor, some are rich but stormy, most are in between."""
    keyed = rng.random() < 0.6
    scarce = rng.random() < 0.5
    claws_back = rng.random() < 0.3
    faults = [_fault(rng, keyed=keyed) for _ in range(rng.choice([0, 1, 3, 6]))]
    if claws_back:
        faults.append({"route": "*", "kind": "drop_credit", "amount": "0.1", "probability": 0.003})
    if (
        rng.random() < 0.4
    ):  # nobody answers, for so many calls: an outage, until breakers have tried often enough
        kind, times = rng.choice(["cut", "lose_answer"]), rng.choice([20, 60])
        faults.insert(0, {"route": "*", "kind": kind, "times": times})
    purse = str(round(jobs * rng.choice([0.004, 0.01, 0.02]), 3)) if scarce else "1000"
    arrivals = ["0.01", "0.05", "0.2"] if scarce else []
    return Dangers(
        accounts=dict.fromkeys(["default", "other"] if rng.random() < 0.3 else ["default"], purse),
        faults=faults,
        skews=[round(rng.uniform(-2, 2), 3) for _ in range(rng.choice([1, 2, 3, 4]))],
        pauses=rng.choice([0.02, 0.1, 0.3]),
        stalls=rng.choice([0, 0.003, 0.02]),
        dies=rng.choice([0, 0.002, 0.01, 0.03]),
        drops=rng.choice([0, 0.05, 0.5]),
        doubles=rng.choice([0, 0.05, 0.3]),
        stops=rng.choice([0.1, 0.3, 0.6]),
        meddling=rng.choice([0.1, 0.5, 1.5]),
        busy=rng.choice([2, 6, 10]),
        lasts=rng.choice([600.0, 3600.0, 7200.0]),
        credit=[*arrivals, *(["-0.02", "-0.3"] if claws_back else [])],
        rich_at_last=rng.random() < 0.7,
        claws_back=claws_back,
        damage=rng.choice([0, 0, 0.3, 2.0]),
        weather=rng.choice([0, 0, 0.1, 0.5]),
        budgets=_budgets(rng, jobs),
        keyed=keyed,
        requests_per_second=rng.choice([0.5, 2.0, 20.0]),
    )


def _budgets(rng: random.Random, jobs: int) -> dict[str, str]:
    """In half of the worlds labels may spend a part of what their jobs ask for."""
    if rng.random() < 0.5:
        return {}
    limits = {"label:team=a": str(round(jobs * rng.choice([0.002, 0.008]), 3))}
    if rng.random() < 0.5:
        limits["label:team"] = f"{round(jobs * rng.choice([0.01, 0.02]), 3)}/day"
    return limits


def _fault(rng: random.Random, *, keyed: bool) -> dict[str, Any]:
    kind = rng.choice([kind for kind in _KINDS if keyed or kind not in _OF_KEYS])
    fault: dict[str, Any] = {"kind": kind, "route": rng.choice(_ROUTES)}
    fault["probability"] = rng.choice([0.02, 0.1, 0.3])
    match kind:
        case "slow" | "lose_answer" | "cut":
            fault["seconds"] = rng.choice([0.2, 3, 12, 40])
        case "status":
            fault["status"] = rng.choice([500, 502, 503, 403])
            if (
                fault["status"] == 403
            ):  # something in between says no; oftener, six in a row would be believed
                fault["probability"] = 0.02
            else:
                fault["done"] = rng.random() < 0.5
            fault["body"] = rng.choice(["", "<html>bad gateway</html>", "upstream"])
        case "rate_limit":
            fault["retry_after"] = rng.choice([1, 5, 30])
        case "in_progress":
            fault |= {"route": rng.choice([*_WRITES, "jobs.*"]), "seconds": rng.choice([2, 20, 90])}
            fault["outcome"] = rng.choice(["confirmed", "expired"])
        case "expire_key":
            fault["route"] = rng.choice([*_WRITES, "jobs.*"])
        case "list_late":
            # Without keys a post is looked for, and five minutes are all that an index may lag then.
            fault |= {"route": "jobs.list", "seconds": rng.choice([5, 40, 300 if keyed else 60])}
        case _:
            pass
    return fault
