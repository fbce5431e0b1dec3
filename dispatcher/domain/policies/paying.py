"""The policy for what a job may cost an hour, and for credit that is not there."""

from typing import Literal

from dispatcher.domain.duration import Duration
from dispatcher.domain.policies.fields import AwareDatetime, Budget, Policy


class CreditPolicy(Policy):
    """What happens when the balance does not pay for the job: `wait` for credit (the default) or `fail`.

    `wait_at_most` and `wait_until` end the waiting, whichever comes first; the job is then rejected.
    `max_rate_per_hour`: US dollars, fee included; while the market asks for more, the job waits (or fails) as it
    does for credit.
    """

    kind: Literal["credit"] = "credit"
    when_short: Literal["wait", "fail"] = "wait"
    wait_at_most: Duration | None = None
    wait_until: AwareDatetime | None = None
    max_rate_per_hour: Budget | None = None
