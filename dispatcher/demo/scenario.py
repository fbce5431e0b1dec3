"""What the demo shows: its requests, what happens to them from outside, and what must become of each.

All times are the network's, which run `SPEED` times as fast here: a minute of it is a second on the screen.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Any, Final

from dispatcher.domain.words import Reason, State

SPEED: Final = 60.0

RICH: Final = "default"
POOR: Final = "poor"

CREDITS: Final[Mapping[str, Decimal]] = {RICH: Decimal("5.000"), POOR: Decimal("0.020")}
"""US dollars on each account at the start."""

ARRIVING: Final = Decimal("0.250")
"""US dollars that arrive on the poor account while a job waits for them."""

FAULTS: Final[tuple[Mapping[str, Any], ...]] = (
    {"route": "jobs.list", "kind": "lose_answer", "nth": [2, 5]},
    {"route": "jobs.extend", "kind": "lose_answer", "nth": [1]},
)
"""What the simulated network does wrong: it does the work of these calls and loses the answers. Whoever asks again
in the wrong way pays twice."""

_POLL: Final = {"every": "30s", "at_most": "2m"}


@dataclass(frozen=True, slots=True)
class Fate:
    """What must become of a request: its end, why (any of these), and how often it was extended."""

    state: State
    reasons: frozenset[Reason]
    extends: int = 0

    def fits(self, state: str, reason: str, extends: int) -> bool:
        return state == self.state and reason in self.reasons and extends == self.extends


@dataclass(frozen=True, slots=True)
class Scene:
    """One request. `shows`: what it is there for; `deadline`: a stop at so long after it was enqueued;
    `operator_after`: an operator stops it once it ran so long; `credit_after`: credit for it arrives once it
    waited so long."""

    name: str
    shows: str
    market: str
    timeout: str
    fate: Fate
    policies: Mapping[str, Any] = field(default_factory=dict)
    account: str = RICH
    deadline: timedelta | None = None
    operator_after: timedelta | None = None
    credit_after: timedelta | None = None

    def request(self, now: float) -> dict[str, Any]:
        """The fields of the `JobRequest`; `now` in unix seconds of the network's time."""
        policies: dict[str, Any] = {"poll": _POLL, **self.policies}
        if self.deadline is not None:
            policies["stop"] = {"at": datetime.fromtimestamp(now, UTC) + self.deadline}
        return {
            "definition": definition(self.name),
            "market": self.market,
            "timeout": self.timeout,
            "policies": policies,
            "account": self.account,
            "request_id": f"demo-{self.name}",
            "labels": {"demo": self.name},
        }


def definition(name: str) -> dict[str, Any]:
    """The job definition of this name, from this package's data."""
    text = files("dispatcher.demo").joinpath("definitions", f"{name}.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def _ends(state: State, *reasons: Reason, extends: int = 0) -> Fate:
    return Fate(state, frozenset(reasons), extends)


SCENES: Final[tuple[Scene, ...]] = (
    Scene(
        name="hello-world",
        shows="completes by itself",
        market="nvidia-3060",
        timeout="10m",
        fate=_ends(State.COMPLETED, Reason.FINISHED),
    ),
    Scene(
        name="whisper",
        shows="extended twice",
        market="nvidia-4090-community",
        timeout="10m",
        # Runs 23 minutes: extended at 6 and at 16, and over before the third would be due at 26.
        policies={"extend": {"by": "10m", "margin": "4m"}},
        fate=_ends(State.COMPLETED, Reason.FINISHED, extends=2),
    ),
    Scene(
        name="vllm",
        shows="stopped at its deadline",
        market="nvidia-a100",
        timeout="2h",
        deadline=timedelta(minutes=18),
        # Where every worker stands still at that moment, the network ends it by itself a minute later.
        fate=_ends(State.STOPPED, Reason.STOP_AT, Reason.TIMED_OUT),
    ),
    Scene(
        name="lora-training",
        shows="stopped by its budget",
        market="nvidia-h100-scarce",
        timeout="8m",
        # $1.65 an hour: the budget pays 18 minutes, so the second extension is a short one.
        policies={"extend": {"by": "8m", "margin": "4m"}, "stop": {"max_cost": "0.50"}},
        fate=_ends(State.STOPPED, Reason.MAX_COST, extends=2),
    ),
    Scene(
        name="comfyui",
        shows="stopped by the operator",
        market="nvidia-4090-community",
        timeout="2h",
        operator_after=timedelta(minutes=12),
        fate=_ends(State.STOPPED, Reason.OPERATOR),
    ),
    Scene(
        name="sd-batch",
        shows="waits for credit",
        market="nvidia-4090-community",
        timeout="10m",
        account=POOR,
        credit_after=timedelta(minutes=6),
        fate=_ends(State.COMPLETED, Reason.FINISHED),
    ),
    Scene(
        name="jupyter",
        shows="refused: bad definition",
        market="nvidia-3060",
        timeout="10m",
        fate=_ends(State.REJECTED, Reason.REFUSED),
    ),
    Scene(
        name="embeddings",
        shows="fails on the network",
        market="nvidia-3060",
        timeout="10m",
        fate=_ends(State.FAILED, Reason.EXIT_CODE),
    ),
    Scene(
        name="ollama",
        shows="fails: its host quits",
        market="nvidia-3060",
        timeout="1h",
        fate=_ends(State.FAILED, Reason.HOST_QUIT),
    ),
)
