"""What the planner can ask the engine to do. Data only; the engine has one function for each."""

from dataclasses import dataclass

from dispatcher.domain.ids import IdempotencyKey, RemoteAddress
from dispatcher.domain.words import FollowUp, Operation, Reason, State


@dataclass(frozen=True, slots=True)
class Nothing:
    """The job is over."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until` (unix seconds)."""

    until: float


@dataclass(frozen=True, slots=True)
class Release:
    """See whether the jobs that it comes after are over, and take over what is to be taken from them."""


@dataclass(frozen=True, slots=True)
class HoldCredit:
    """Ask the price, and set the credits for the first posting aside."""


@dataclass(frozen=True, slots=True)
class Pin:
    """Put the definition on IPFS."""


@dataclass(frozen=True, slots=True)
class Begin:
    """Write a new call down; it is sent in the next step. `seconds`: run time asked for (extensions)."""

    operation: Operation
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class Send:
    """Send the call that is written down, under its key."""

    key: IdempotencyKey


@dataclass(frozen=True, slots=True)
class FindPosted:
    """Look on the network for the post that may have landed (accounts without idempotency keys)."""


@dataclass(frozen=True, slots=True)
class Adopt:
    """A person named the job's address: read its record, and take it for the job if it is."""

    address: RemoteAddress


@dataclass(frozen=True, slots=True)
class TakeExtended:
    """The network's record shows the extension whose answer never came."""


@dataclass(frozen=True, slots=True)
class Disown:
    """The call was looked for, for long enough, and did not land."""


@dataclass(frozen=True, slots=True)
class Park:
    """Nothing here can find out what became of the post: a person is asked."""


@dataclass(frozen=True, slots=True)
class Look:
    """Ask the network how the job is."""


@dataclass(frozen=True, slots=True)
class OrderStop:
    """A policy wants the job stopped."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Warn:
    """So much of a limit is used up that it is worth a warning. `limit`: the policy's field, `share`: the part."""

    limit: str
    share: float
    detail: str


@dataclass(frozen=True, slots=True)
class EndExtends:
    """So much of a limit is used up that the job gets no more time by itself."""

    limit: str
    share: float


@dataclass(frozen=True, slots=True)
class DropExtension:
    """An operator's extension cannot be had."""

    seconds: int
    detail: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The network does not know the job any more."""


@dataclass(frozen=True, slots=True)
class Collect:
    """Fetch the result, settle, and end. `without_result`: the wait for it is over."""

    without_result: bool = False


@dataclass(frozen=True, slots=True)
class Finish:
    """End a job that never reached the network."""

    state: State
    reason: Reason
    detail: str = ""


Action = (
    Nothing
    | Wait
    | Release
    | HoldCredit
    | Pin
    | Begin
    | Send
    | FindPosted
    | Adopt
    | TakeExtended
    | Disown
    | Park
    | Look
    | OrderStop
    | Warn
    | EndExtends
    | DropExtension
    | GiveUp
    | Collect
    | Finish
)


@dataclass(frozen=True, slots=True)
class Due:
    """One rule's word on a job: what is to be done, from when on (unix seconds; 0: at once), and under which name."""

    rule: str
    at: float
    action: Action
    follow_up: FollowUp = FollowUp.DISPATCH
    reason: Reason | None = None
    policy: str | None = None
    """The policy's field under which the rule acts, by its name in a request (`stop.after`); None for other rules."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What `plan` decided: the action, and the rule that decided. For a `Wait`: what will fall due then."""

    action: Action
    rule: str
    follow_up: FollowUp = FollowUp.DISPATCH
    reason: Reason | None = None
    policy: str | None = None
