"""Short words for the tests of the ledger, all on one account."""

from decimal import Decimal

from dispatcher.domain.ids import AccountName, HoldId, JobId
from dispatcher.ports.ledger import Frozen, Held, Ledger, Over, Short
from dispatcher.ports.provider import Balance
from tests.store.records import T0

ACCOUNT = AccountName("default")
JOB, OTHER = JobId("job_1"), JobId("job_2")
POST, EXTEND = HoldId("job_1:post:1"), HoldId("job_1:extend:1")


def balance(assigned: str, reserved: str = "0", settled: str = "0") -> Balance:
    return Balance(Decimal(assigned), Decimal(reserved), Decimal(settled))


def shown(ledger: Ledger, assigned: str, reserved: str = "0", settled: str = "0") -> None:
    """A balance that is asked for now."""
    marker = ledger.marker(ACCOUNT)
    assert ledger.put_balance(ACCOUNT, marker, balance(assigned, reserved, settled), now=T0)


def hold(ledger: Ledger, amount: str, name: HoldId = POST, job: JobId = JOB) -> Held | Short | Over | Frozen:
    return ledger.hold(ACCOUNT, job, name, Decimal(amount), now=T0)


def sums(ledger: Ledger) -> tuple[Decimal | None, Decimal, Decimal, Decimal]:
    view = ledger.view(ACCOUNT)
    return view.available, view.unseen, view.held, view.settled


def usd(*amounts: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(amount) for amount in amounts)
