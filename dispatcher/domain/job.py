"""The dispatcher's durable record of one request, from enqueued to its end.

`state` says where the job is, `reason` why it is there or what it waits for. A wait is not a state.
The record is a value: it is changed only by `lifecycle.apply`, one event at a time.
"""

from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from dispatcher.domain.cid import Cid
from dispatcher.domain.ids import AccountName, HoldId, IdempotencyKey, JobId, MarketAddress, RemoteAddress
from dispatcher.domain.money import Rate, Usd
from dispatcher.domain.policies import Place
from dispatcher.domain.request import JobSpec
from dispatcher.domain.words import Operation, Phase, Reason, State


class Record(BaseModel):
    """What all parts of a job's record share."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Remote(Record):
    """The job as the network shows it. Times are unix seconds, durations seconds."""

    address: RemoteAddress
    run: str | None = None
    phase: Phase = Phase.QUEUED
    posted_at: float
    """When the dispatcher learned that it was posted."""
    timeout: int
    """Seconds of run time that are allowed and paid for; grows by extensions."""
    started_at: float | None = None
    ended_at: float | None = None
    node: str | None = None
    result_cid: Cid | None = None
    status: str | None = None
    """The host's own word for how it went, where the index already has it."""
    rate_per_hour: Rate | None = None
    """US dollars an hour, fee included, as the network's record of this job has it."""
    looked_at: float
    """When the network was last asked, whether it answered or not; at first when the job was posted."""
    seen_at: float | None = None
    """When it last answered with the job's record; None while its index does not have it yet."""
    missing_since: float | None = None
    """Since when it answers 404."""
    changed_at: float
    """When the record last looked different from before."""
    unchanged_looks: int = 0
    error: str | None = None
    """What the last look brought instead of the record."""
    held_until: float | None = None
    """The next look was held back until then."""
    held_pressing: bool = False
    """It was held back although it goes before those that can wait."""
    output_at: float | None = None
    """When the job last put something out, where the network shows that while it runs."""
    results: dict[str, str] = {}
    """What it shows of its results while it runs, as far as a policy asks for it."""
    extended_at: float | None = None
    """When the last extension was confirmed: the index may show the old time-out for a while."""

    @property
    def is_over(self) -> bool:
        return self.phase not in (Phase.QUEUED, Phase.RUNNING)

    @property
    def deadline(self) -> float | None:
        """When the network ends the job by itself, unix seconds; None while no host has it."""
        return None if self.started_at is None else self.started_at + self.timeout


class Search(Record):
    """How far it is found out whether a call landed, on an account without idempotency keys."""

    since: float
    """The last moment at which the call may have been sent, as far as is known."""
    looks: int = 0
    """Looks since then that would show it, if it had landed and the index were up to date."""
    clear_at: float | None = None
    """When the last of these was."""
    failed: int = 0
    """Looks in a row that told nothing."""
    looked_at: float | None = None
    error: str | None = None
    """Why the last look told nothing."""
    held_until: float | None = None
    """The next look was held back until then."""
    hopeless: bool = False
    """Looks cannot tell anything, as things are."""
    parked_at: float | None = None
    """Since when a person is asked to say what became of the call."""
    adopt: RemoteAddress | None = None
    """The address that a person named as what became of the post."""
    adopt_by: str = ""


class Call(Record):
    """A call that was written down and is not yet settled: sent or not, answered or not."""

    operation: Operation
    ordinal: int
    """The how-manieth post, extension or stop of this job, from 1."""
    epoch: int = 1
    """Grows only when the network says that the call surely did not happen and the key is dead."""
    key: IdempotencyKey
    payload: str = ""
    """SHA-256 (hex) of what is sent with the key."""
    seconds: int = 0
    """Run time that is asked for: total on a post, added on an extension."""
    hold: HoldId | None = None
    amount: Usd = Decimal(0)
    """US dollars that are held for it."""
    ordered: bool = False
    """An extension that an operator asked for, not the policy."""
    adds_to: int = 0
    """Seconds that were allowed when the extension was written down: the index may show it before its answer comes."""
    intended_at: float
    tries: int = 0
    """How often it was sent without a usable answer, in this epoch."""
    retry_at: float | None = None
    error: str | None = None
    search: Search | None = None
    """On an account without idempotency keys: it may have landed, and is looked for instead of being sent again."""
    held: str | None = None
    """What holds it back, if its last try was not sent."""
    unsent_until: float | None = None
    """It surely was not sent before then: it was held back from its first try on."""


class Quote(Record):
    """What the market asks, and what was held for the first posting."""

    market: MarketAddress
    rate_per_hour: Rate
    """US dollars an hour, the network's fee included."""
    fee_percent: Rate
    """The network's fee on the market's price, as a percentage."""
    seconds: int
    """Run time that is posted at first: the request's timeout, or less where a policy allows less."""
    amount: Usd
    hold: HoldId


class StopOrder(Record):
    """A stop that was asked for; it precludes later extensions."""

    reason: Reason
    by: str
    """Who asked: `policy`, or the operator's name."""
    at: float
    outcome: str | None = None
    """The network's word once it confirmed: `delisted`, `ended` or `already_terminal`."""
    confirmed_at: float | None = None


class Spend(Record):
    """What the job costs, US dollars."""

    posted: Usd = Decimal(0)
    """Reserved by the network for everything that was posted and extended: the most it can cost as it stands."""
    doubtful: Usd = Decimal(0)
    """Held for extensions that a stop overtook before they were answered: they may have landed."""
    earlier: Usd = Decimal(0)
    """What earlier attempts did cost. The two above are of this attempt."""
    kept: Usd = Decimal(0)
    """What stays held, at most, of what the last attempt did not use, until the next one is held for."""
    settled: Usd | None = None
    """What it did cost with all attempts, once it ended."""


class Wait(Record):
    """What the job waits for, and since when."""

    reason: Reason
    since: float
    last: float
    """When it was last tried."""
    tries: int = 1
    detail: str = ""
    short_usd: Usd | None = None
    """The amount that the balance did not pay for, or a budget not allow."""
    scope: str | None = None
    """Whose budget it is that is awaited: `label:team-a`."""
    retry_at: float | None = None
    """Before when it is not worth a try."""


class Ending(Record):
    """How the job ended."""

    at: float
    exit_code: int | None = None
    result_cid: Cid | None = None
    detail: str = ""


class Attempt(Record):
    """An attempt that is over and settled, and was followed by another. Times are unix seconds."""

    number: int
    market: str
    account: AccountName
    address: RemoteAddress | None
    """None: it never was on the network."""
    node: str | None
    posted_at: float | None
    started_at: float | None
    ended_at: float
    state: State
    reason: Reason
    exit_code: int | None
    detail: str
    cost: Usd
    extends: int


class Job(Record):
    """One job. See the fields' own words; `version` grows with every event."""

    id: JobId
    spec: JobSpec
    fingerprint: str
    cid: Cid
    """CID of the definition, computed here; pinning must return the same."""
    stamped: bool = False
    """The definition bears the job's id: no other job has its CID, and the job can be found by it."""
    state: State = State.ENQUEUED
    reason: Reason = Reason.NEW
    created_at: float
    updated_at: float
    version: int = 1
    wait: Wait | None = None
    short_since: float | None = None
    """Since when credit has not paid for the posting, whatever was tried meanwhile."""
    quote: Quote | None = None
    remote: Remote | None = None
    call: Call | None = None
    posts: int = 0
    """Posts that were written down so far; the next one's ordinal is one more. Likewise for the other two."""
    extend_calls: int = 0
    stops: int = 0
    lost_posts: int = 0
    """Posts that were looked for, for long, and are not on the network."""
    lost_hold: HoldId | None = None
    """The hold of the last of them, to be freed before another is made."""
    extends: int = 0
    """Extensions that landed."""
    post_refused: str | None = None
    """The network's final words to the post."""
    extend_refused: str | None = None
    """The network's final words to an extension: no further one is tried by itself."""
    extra: int = 0
    """Seconds that operators added to what was asked for."""
    extend_ordered: tuple[int, ...] = ()
    """Seconds that operators asked to add and that were not asked for yet."""
    stop: StopOrder | None = None
    attempt: int = 1
    """The how-manieth attempt this is. All that is above from `wait` on, but the counts of calls, is of this one."""
    place: int = 0
    """Which of the spec's places it runs at."""
    site: Place | None = None
    """That place as it was when the attempt went there, whatever becomes of the policies; None: the request's own."""
    passed: int = 0
    """Places that were passed over, one after another, since the attempt began or the last wait for a price."""
    awaited: bool = False
    """One of these is worth waiting for: it asks for too much, or its account is not in the settings."""
    rapid: int = 0
    """Attempts in a row, up to the last one, that ended rapidly."""
    earlier: tuple[Attempt, ...] = ()
    released: bool = False
    """The jobs that it was to come after are over."""
    warned: tuple[str, ...] = ()
    """The limits of which a part that is worth a warning is used up."""
    no_extends: str | None = None
    """The limit for whose sake it gets no more time by itself."""
    budget_used_up: str | None = None
    """Whose budget, which stops the job, is used up."""
    spend: Spend = Spend()
    ending: Ending | None = None

    @property
    def at_place(self) -> Place:
        """Where this attempt is to run, or runs."""
        return self.spec.places()[0] if self.site is None else self.site

    @property
    def account(self) -> AccountName:
        """The account that this attempt is paid from."""
        return self.at_place.account or self.spec.account

    @property
    def market(self) -> str:
        """Address or slug of the market of this attempt, as it was asked for."""
        return self.at_place.market
