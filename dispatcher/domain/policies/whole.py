"""The policies of one request together, and the one union that each of them belongs to."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from dispatcher.domain.policies.ending import RetryPolicy, StopPolicy
from dispatcher.domain.policies.fields import STOP_GRACE, Policy
from dispatcher.domain.policies.following import ExtendPolicy, PollPolicy, QuantumPolicy
from dispatcher.domain.policies.paying import CreditPolicy

AnyPolicy = Annotated[
    PollPolicy | QuantumPolicy | ExtendPolicy | StopPolicy | RetryPolicy | CreditPolicy,
    Field(discriminator="kind"),
]
"""One policy, told from the others by its `kind`."""

KINDS = tuple(member.model_fields["kind"].default for member in get_args(get_args(AnyPolicy)[0]))
"""The kinds in the order in which a job meets them."""


def _step_alone(value: Any) -> Any:
    return {"step": value} if isinstance(value, str | timedelta) else value


class Policies(Policy):
    """The policies of one request, at most one of each kind; `version` is the version of this form.

    Written as an object with the kinds as names, or as a list of policies that each name their `kind`.
    """

    version: Literal[1] = 1
    poll: PollPolicy = PollPolicy()
    quantum: Annotated[QuantumPolicy, BeforeValidator(_step_alone)] | None = None
    extend: ExtendPolicy | None = None
    stop: StopPolicy = StopPolicy()
    retry: RetryPolicy | None = None
    credit: CreditPolicy = CreditPolicy()

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return by_kind(value) if isinstance(value, Sequence) and not isinstance(value, str) else value

    def max_cost(self) -> Decimal | None:
        """The most that may ever be reserved for the job, in US dollars, or None where nothing limits it."""
        caps = [self.stop.max_cost, self.extend.max_cost if self.extend else None]
        return min((cap for cap in caps if cap is not None), default=None)

    def max_runtime(self) -> float | None:
        """The most seconds of run time that may ever be posted in total, or None where nothing limits them."""
        caps = []
        if self.stop.after is not None:
            caps.append(self.stop.after.total_seconds() + STOP_GRACE)
        if self.extend is not None and self.extend.max_runtime is not None:
            caps.append(self.extend.max_runtime.total_seconds())
        return min(caps, default=None)

    def margin_seconds(self) -> float | None:
        """How long before the remote deadline more time is asked for, in seconds; None where none ever is."""
        if self.quantum is None:
            return None if self.extend is None else self.extend.margin_seconds()
        margin = self.quantum.margin_seconds()
        if self.extend is not None and self.extend.margin is not None:
            margin = max(
                margin, min(self.extend.margin.total_seconds(), self.quantum.step.total_seconds() / 2)
            )
        return margin


def by_kind(policies: Sequence[Any]) -> dict[str, Any]:
    """A list of policies as an object with their kinds as names."""
    kinds = [policy.get("kind") if isinstance(policy, dict) else None for policy in policies]
    if None in kinds or any(kind not in KINDS for kind in kinds):
        raise ValueError(f"each policy of a list names its kind: {', '.join(KINDS)}")
    if twice := sorted(str(kind) for kind, count in Counter(kinds).items() if count > 1):
        raise ValueError(f"there is more than one policy of the kind {', '.join(twice)}: put them together")
    return dict(zip(map(str, kinds), policies, strict=True))
