"""What is known beside a job's record, read for an explanation of it. Nothing is changed."""

from decimal import Decimal
from itertools import takewhile

from dispatcher.domain.budget import BudgetUse
from dispatcher.domain.costs import ZERO, highest_rate
from dispatcher.domain.errors import ProviderError, SettingsError, UnknownJob
from dispatcher.domain.eventlog import is_whole
from dispatcher.domain.explain import Explanation, Facts, Holding, LinePlace, UpstreamFact, explain
from dispatcher.domain.ids import JobId
from dispatcher.domain.job import Job
from dispatcher.domain.view import timestamp
from dispatcher.domain.waiting import line_of
from dispatcher.engine.money import LINE_AT_MOST
from dispatcher.engine.parts import Parts
from dispatcher.ports.dead import Unreadable
from dispatcher.ports.ledger import LedgerView


def explain_job(parts: Parts, job_id: JobId) -> Explanation:
    """Why the job is where it is, what comes next, and what it costs.

    The network is asked for one thing alone: the price of a job that has none yet, if its market was not asked lately.
    Raises `UnknownJob`, `UnreadableRecord`, `StoreUnavailable`.
    """
    job = parts.store.load(job_id)
    if job is None:
        raise UnknownJob(job_id)
    return explain(job, _facts(parts, job), parts.clock.now())


def _facts(parts: Parts, job: Job) -> Facts:
    store, log, due = parts.store, parts.store.log(job.id), parts.store.next_due(job.id)
    view = parts.ledger.view(job.account)
    rate, unknown = _rate(parts, job)
    return Facts(
        log=[entry for entry in log if not isinstance(entry, Unreadable)],
        unreadable=sum(isinstance(entry, Unreadable) for entry in log),
        whole=is_whole(log),
        trouble=store.trouble(job.id),
        agenda_at=None if due is None else due.at,
        late=parts.pace(parts.timing.late),
        place=_place(parts, job),
        available=view.available,
        balance_at=view.balance_at,
        frozen=_frozen(view),
        budgets=_budgets(parts, job),
        holding=_holding(parts, job),
        upstreams=_upstreams(parts, job),
        rate_per_hour=rate,
        rate_unknown=unknown,
    )


def _rate(parts: Parts, job: Job) -> tuple[Decimal | None, str]:
    if job.state.is_final or highest_rate(job) is not None:
        return None, ""
    now, at_most = parts.clock.now(), parts.pace(parts.timing.markets)
    try:
        market = parts.markets.get(parts.providers, job.account, job.market, now=now, at_most=at_most)
    except (ProviderError, SettingsError) as e:
        return None, f"its price cannot be had now: {e}"
    return market.rate_per_hour, "" if market.rate_per_hour else f"market {market.slug} shows no usable price"


def _place(parts: Parts, job: Job) -> LinePlace | None:
    line = line_of(job)
    if line is None:
        return None
    waiters = parts.store.waiters(line, LINE_AT_MOST)
    before = list(takewhile(lambda waiter: waiter.id != job.id, waiters))
    position = len(before) + 1 if len(before) < len(waiters) else None
    if position is None and len(waiters) < LINE_AT_MOST:
        return None  # it left the line while it was looked at
    return LinePlace(position, LINE_AT_MOST, sum((waiter.short_usd for waiter in before), ZERO))


def _frozen(view: LedgerView) -> str | None:
    frozen = view.frozen
    return None if frozen is None else f"by {frozen.by} since {timestamp(frozen.at)}: {frozen.reason}"


def _budgets(parts: Parts, job: Job) -> tuple[BudgetUse, ...]:
    scope = None if job.wait is None else job.wait.scope
    if scope is None:
        return ()
    return tuple(use for use in parts.ledger.budgets(now=parts.clock.now()) if use.budget.scope == scope)


def _holding(parts: Parts, job: Job) -> tuple[Holding, ...]:
    if job.state.is_final:
        return ()
    return tuple(
        Holding(lane.api, seen.paused_until, seen.open_since, seen.trial_at, seen.failures)
        for lane, seen in parts.providers.lanes(job.account)
    )


def _upstreams(parts: Parts, job: Job) -> tuple[UpstreamFact, ...]:
    if not job.spec.after or job.released or job.state.is_final:
        return ()
    named = [(each.id, each.on) for each in job.spec.after if each.id is not None]
    found = parts.store.load_many([upstream for upstream, _ in named])
    return tuple(
        UpstreamFact(upstream, on, None if record is None else record.state.value)
        for (upstream, on), record in zip(named, found, strict=True)
    )
