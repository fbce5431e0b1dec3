"""Events of what people, or policies, want of a job."""

from typing import Literal

from dispatcher.domain.events.base import EventBase
from dispatcher.domain.ids import RemoteAddress
from dispatcher.domain.policies import Policies
from dispatcher.domain.words import Reason


class ResolveOrdered(EventBase):
    """A person says that the job is at `address`; the network's record of it is read before that is believed."""

    kind: Literal["resolve_ordered"] = "resolve_ordered"
    address: RemoteAddress
    by: str


class ResolveDropped(EventBase):
    """The job is not at the address that a person named: `detail` says why."""

    kind: Literal["resolve_dropped"] = "resolve_dropped"
    detail: str


class StopOrdered(EventBase):
    """A policy or an operator wants the job stopped: no further extension."""

    kind: Literal["stop_ordered"] = "stop_ordered"
    reason: Reason
    by: str


class ExtendOrdered(EventBase):
    """An operator wants `seconds` more."""

    kind: Literal["extend_ordered"] = "extend_ordered"
    seconds: int
    by: str


class ExtendDropped(EventBase):
    """An operator's extension cannot be had: `detail` says why."""

    kind: Literal["extend_dropped"] = "extend_dropped"
    seconds: int
    detail: str


class PoliciesChanged(EventBase):
    """The job goes on under these policies; `changed` names the fields that are different. `place`: the index that
    the job's place has among theirs; None: the same as before."""

    kind: Literal["policies_changed"] = "policies_changed"
    policies: Policies
    changed: tuple[str, ...]
    by: str
    place: int | None = None


class PoliciesKept(EventBase):
    """A change of the policies cannot be had: `detail` says why."""

    kind: Literal["policies_kept"] = "policies_kept"
    detail: str
    by: str


class Warned(EventBase):
    """A part of a limit is used up (`stop.soft`). `limit`: the policy's field, as `stop.after`; `share` of it."""

    kind: Literal["warned"] = "warned"
    limit: str
    share: float
    detail: str


class ExtendsEnded(EventBase):
    """The job gets no more time by itself from now on (`stop.soft`): so much of `limit` is used up."""

    kind: Literal["extends_ended"] = "extends_ended"
    limit: str
    share: float


class BudgetUsedUp(EventBase):
    """The budget of `scope`, which stops the job, is used up."""

    kind: Literal["budget_used_up"] = "budget_used_up"
    scope: str
    detail: str
