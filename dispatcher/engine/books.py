"""The books are audited: what the network took from an account against what the dispatcher knows of.

Both sides move while they are read: a call may have landed whose answer is under way, a job may be over on the network
that is not looked at yet, and what a job that ended did not use is given back at some moment around its end. So a
comparison does not give one figure but the bounds within which it must lie, as wide as what is under way; where
nothing is, they meet. What others spend from the account is part of the difference, and taken as it is at the first
audit. A figure stays as long as the bounds allow it, and is else the least that they demand: a busy system raises no
false alarm, and a quiet one shows the exact amount.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import structlog

from dispatcher.domain.errors import Bug
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.money import format_usd
from dispatcher.domain.view import timestamp
from dispatcher.engine.money import refresh_balance
from dispatcher.engine.parts import Parts
from dispatcher.ports.ledger import Audit, Position

_log = structlog.get_logger(__name__)

CENT: Final = Decimal("0.01")
"""US dollars. Less is rounding: the network counts in thousandths."""

_ZERO: Final = Decimal(0)
_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class Books:
    """What an audit found, US dollars. `network`: reserved and settled there; `ours`: what the dispatcher knows of it;
    `drift`: how much more (or, below zero, less) the network took, beyond what it did at the first audit."""

    account: AccountName
    at: float
    network: Decimal
    ours: Decimal
    drift: Decimal
    detail: str

    @property
    def balanced(self) -> bool:
        return abs(self.drift) <= CENT


def audit_books(parts: Parts, account: AccountName, *, accept: bool = False) -> Books:
    """Ask the network for the balance and compare. `accept`: what is different now is right, and is no drift.

    A drift beyond a cent is logged as an error when it appears and whenever it changes, not at every audit.
    Raises `ProviderError`, `SettingsError` if the balance cannot be had.
    """
    refresh_balance(parts, account)
    position = parts.ledger.position(account)
    if position is None:
        raise Bug(f"the balance of account {account} was put, and is not there")
    now = parts.clock.now()
    before = position.audit
    jobs = parts.ledger.jobs_with_holds(account, _NAMED)
    audit = reckon(position, jobs, now, accept=accept)
    found = Books(account, now, _network(position), _ours(position), audit.drift, audit.detail)
    if parts.ledger.keep_audit(account, audit, replaces=before):
        _tell(found, _ZERO if before is None or accept else before.drift)
    return found


def reckon(
    position: Position, jobs: list[tuple[JobId, Decimal]], now: float, *, accept: bool = False
) -> Audit:
    """What a comparison at `now` comes to. `jobs`: some of those with holds, for the explanation. Pure."""
    before = position.audit
    lowest, highest = _bounds(position)
    drift = _ZERO
    if before is None or accept:
        since = "this is the first audit: the difference is taken as it is" if before is None else "accepted"
        known = (lowest, highest)
    else:
        since = _since(position, before)
        known = (before.lowest, before.highest)
        # What others had spent at the first audit lies within `known`; the drift is whatever lies beyond.
        drift = _moved(before.drift, lowest - known[1], highest - known[0])
        if drift == 0:
            known = (max(lowest, known[0]), min(highest, known[1]))
    return Audit(
        at=now,
        lowest=known[0],
        highest=known[1],
        drift=drift,
        detail=_explained(position, drift, (lowest, highest), known, jobs, since),
        settlements=position.settlements,
        settled=position.settled,
    )


def _network(position: Position) -> Decimal:
    return position.balance.reserved + position.balance.settled


def _ours(position: Position) -> Decimal:
    return position.shown + position.settled


def _bounds(position: Position) -> tuple[Decimal, Decimal]:
    """Between which two figures that which is not ours must lie, of all that the network took."""
    difference = _network(position) - _ours(position)
    # May be in the network's figures and is not in ours: calls under way, and what is being given back.
    more = position.open + position.unshown + position.returning
    # In ours, and perhaps not in the network's: jobs that may be over there already, and the newest settlements.
    less = position.shown + position.tails
    return difference - more, difference + less


def _moved(drift: Decimal, lowest: Decimal, highest: Decimal) -> Decimal:
    """The same while it may be the same; else the least that it must be."""
    return drift if lowest <= drift <= highest else min(max(_ZERO, lowest), highest)


def _since(position: Position, before: Audit) -> str:
    jobs, cost = position.settlements - before.settlements, position.settled - before.settled
    return f"since {timestamp(before.at)} {jobs} jobs were settled for ${format_usd(cost)}"


def _explained(
    position: Position,
    drift: Decimal,
    bounds: tuple[Decimal, Decimal],
    known: tuple[Decimal, Decimal],
    jobs: list[tuple[JobId, Decimal]],
    since: str,
) -> str:
    balance = position.balance
    said = [
        f"the network shows ${format_usd(balance.reserved)} reserved and ${format_usd(balance.settled)} settled",
        f"known here: ${format_usd(position.settled)} settled, ${format_usd(position.shown)} reserved, and "
        f"${format_usd(position.open + position.unshown)} that may be",
        f"beside that {_range(known)} when it was first compared, {_range(bounds)} now",
        since,
    ]
    if jobs:
        listed = ", ".join(f"{job} ${format_usd(amount)}" for job, amount in jobs)
        more = f" and {position.jobs - len(jobs)} more" if position.jobs > len(jobs) else ""
        said.append(f"jobs with credits set aside: {listed}{more}")
    if drift > CENT:
        said.append(
            f"at least ${format_usd(drift)} more was taken than is known here: somebody else spends from this "
            "account (another application, a person, a second dispatcher with the same key), or a job is paid that "
            "the dispatcher does not know"
        )
    elif drift < -CENT:
        said.append(
            f"at least ${format_usd(-drift)} less was taken than was counted here: the network settled jobs for less "
            "than their records show, or gave back what they cost"
        )
    return "; ".join(said)


def _range(bounds: tuple[Decimal, Decimal]) -> str:
    lowest, highest = bounds
    if lowest == highest:
        return f"${format_usd(lowest)}"
    return f"${format_usd(lowest)} to ${format_usd(highest)}"


def _tell(found: Books, before: Decimal) -> None:
    if abs(found.drift - before) <= CENT:
        return
    fields = {
        "account": found.account,
        "drift_usd": format_usd(found.drift),
        "network_usd": format_usd(found.network),
        "ours_usd": format_usd(found.ours),
        "detail": found.detail,
    }
    if found.balanced:
        _log.info("ledger_drift_over", **fields)
    else:
        _log.error("ledger_drift", **fields)
