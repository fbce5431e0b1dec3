"""Policies: data queued with the request that decides the follow-ups. What a policy means stands here, once.

The planner asks these models; it never looks at raw numbers of theirs beside them. Unknown fields are refused.
All durations are measured in the network's time; `after`, `max_runtime` count from the moment a host took
the job, since that is what is paid. Here does not belong: what is done when a policy's time has come (`rules`).
"""

from dispatcher.domain.policies.ending import (
    Place,
    RapidEnds,
    ResultMatch,
    RetryOn,
    RetryPolicy,
    SoftSteps,
    StopPolicy,
)
from dispatcher.domain.policies.fields import LONGEST_TIMEOUT, SHORTEST_TIMEOUT, STOP_GRACE, Policy
from dispatcher.domain.policies.following import ExtendPolicy, PollPolicy, QuantumPolicy
from dispatcher.domain.policies.paying import CreditPolicy
from dispatcher.domain.policies.whole import AnyPolicy, Policies

__all__ = [
    "LONGEST_TIMEOUT",
    "SHORTEST_TIMEOUT",
    "STOP_GRACE",
    "AnyPolicy",
    "CreditPolicy",
    "ExtendPolicy",
    "Place",
    "Policies",
    "Policy",
    "PollPolicy",
    "QuantumPolicy",
    "RapidEnds",
    "ResultMatch",
    "RetryOn",
    "RetryPolicy",
    "SoftSteps",
    "StopPolicy",
]
