"""Credit is held before it is spent, against a balance that is fresh enough, within every budget."""

from decimal import ROUND_CEILING, Decimal
from typing import Final

from dispatcher.domain import events as ev
from dispatcher.domain.budget import OWN, refusal, scopes_of
from dispatcher.domain.errors import NotSent, ProviderError, SettingsError
from dispatcher.domain.ids import AccountName, HoldId, JobId
from dispatcher.domain.job import Job
from dispatcher.domain.money import MICRO, THOUSANDTH, format_usd
from dispatcher.domain.waiting import credit_line, yields
from dispatcher.domain.words import Reason
from dispatcher.engine.alarm import frozen_detail, report_freeze
from dispatcher.engine.parts import Parts
from dispatcher.ports.ledger import Frozen, Held, LedgerView, Over, Short

_LARGEST: Final = Decimal(10**9)
"""US dollars: more cannot be written down (`domain.money`)."""

LINE_AT_MOST: Final = 500
"""Jobs at the head of a line that are looked at: woken at once, or let go first."""


def refresh_balance(parts: Parts, account: AccountName) -> LedgerView:
    """Ask the network for the balance and note it. Raises `ProviderError`, `SettingsError`."""
    provider = parts.providers.account(account)
    marker = parts.ledger.marker(account)
    balance = provider.balance()
    parts.ledger.put_balance(account, marker, balance, now=parts.clock.now())
    view = parts.ledger.view(account)
    if view.frozen is not None:
        report_freeze(parts, account, view)
    return view


def hold(
    parts: Parts,
    job: Job,
    hold_id: HoldId,
    amount: Decimal,
    *,
    in_line: bool = False,
    even_if_old: bool = False,
    takes: HoldId | None = None,
) -> Held | Short | Over | Frozen:
    """Set `amount` aside for `job`. A shortage is only believed of a fresh balance.

    `in_line`: those who stand before the job in its account's line, and whom the balance pays for, go first.
    `even_if_old`: if the question for the balance is held back, cover that the last known one shows will do. The
    network itself refuses what the credits do not pay for; an extension that comes too late loses the job.
    `takes`: the job's hold whose place this one takes, if it is there.

    Raises `ProviderError`, `SettingsError` if the balance cannot be had.
    """
    account = job.account
    view = parts.ledger.view(account)
    if view.frozen is not None:
        return view.frozen
    oldest = parts.clock.now() - parts.pace(parts.timing.balance)
    fresh = view.balance_at is not None and view.balance_at >= oldest
    if fresh:
        held = _hold(parts, job, hold_id, amount, in_line=in_line, takes=takes)
        if not isinstance(held, Short):
            return held
    try:
        refresh_balance(parts, account)
    except NotSent:
        if not even_if_old or view.balance is None:
            raise
        from_old = _hold(parts, job, hold_id, amount, in_line=in_line, takes=takes)
        if isinstance(from_old, Short):
            raise
        return from_old
    return _hold(parts, job, hold_id, amount, in_line=in_line, takes=takes)


def _hold(
    parts: Parts, job: Job, hold_id: HoldId, amount: Decimal, *, in_line: bool, takes: HoldId | None
) -> Held | Short | Over | Frozen:
    account, budget = job.account, job.spec.policies.max_cost()

    def ask(takes: HoldId | None) -> Held | Short | Over | Frozen:
        return parts.ledger.hold(
            account,
            job.id,
            hold_id,
            amount,
            now=parts.clock.now(),
            scopes=scopes_of(job.spec, job.account),
            cap=None if budget is None else max(budget - job.spend.earlier, Decimal(0)),
            ahead=_ahead(parts, job) if in_line else (),
            takes=takes,
            attempt=job.attempt,
        )

    held = ask(takes)
    if isinstance(held, Held) and held.amount < amount:
        # Left behind by a worker that died before it could save what this was for, which was something smaller.
        held = ask(hold_id)
        if not isinstance(held, Held):
            parts.ledger.void(account, hold_id)
    return held


def _ahead(parts: Parts, job: Job) -> list[tuple[JobId, Decimal]]:
    """Who stands before the job in its account's line."""
    if not yields(job):
        return []
    found: list[tuple[JobId, Decimal]] = []
    for waiter in parts.store.waiters(credit_line(job.account), LINE_AT_MOST):
        if waiter.id == job.id or waiter.priority < job.spec.priority:
            break
        found.append((waiter.id, waiter.short_usd))
    return found


def not_held(parts: Parts, job: Job, answer: Short | Over | Frozen, amount: Decimal, what: str) -> ev.Waited:
    """What the job waits for whose `amount` was not held. `what` begins the sentence: `an extension `, or nothing."""
    now = parts.clock.now()
    match answer:
        case Short():
            detail = f"{what}needs ${format_usd(amount)}, available ${format_usd(answer.available)}"
            if answer.kept:
                detail += f" beside ${format_usd(answer.kept)} that its last attempt left for it"
            if answer.promised:
                detail += f", of which ${format_usd(answer.promised)} is for jobs before it in line"
            missing_ = amount - answer.kept
            return ev.Waited(at=now, reason=Reason.AWAITING_CREDIT, detail=detail, short_usd=missing_)
        case Over():
            said = refusal(answer.scope, answer.window, answer.limit, answer.used, answer.until, needs=amount)
            scope = None if answer.scope == OWN else answer.scope
            return ev.Waited(
                at=now, reason=Reason.AWAITING_BUDGET, detail=said, short_usd=amount, scope=scope
            )
        case Frozen():
            detail = frozen_detail(job.account, answer)
            return ev.Waited(at=now, reason=Reason.ACCOUNT_FROZEN, detail=detail, short_usd=amount)


def missing(parts: Parts, account: AccountName, named: Decimal | None, amount: Decimal) -> Decimal:
    """What has to be available before a call of `amount` that the network refused for want of credit is worth
    another try: what the network `named`, but more than its balance shows, since that much did not do."""
    needed = amount
    if named is not None and 0 < named <= _LARGEST:
        needed = named.quantize(MICRO, ROUND_CEILING)
    try:
        shown = refresh_balance(parts, account).available
    except (ProviderError, SettingsError):
        return needed
    return needed if shown is None or shown < needed else min(shown + THOUSANDTH, _LARGEST)
