"""Amounts as whole millionths of a dollar, so that sums are exact wherever they are made (Lua counts in doubles)."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from dispatcher.domain.errors import Bug
from dispatcher.domain.money import MICRO

LARGEST = Decimal(10**9)
"""US dollars. Nine times as much still adds up exactly in a double (2^53 micro-dollars)."""


def rounded_up(amount: Decimal) -> int:
    """What is taken or owed: never too little. Raises `Bug` beyond `LARGEST`."""
    return _whole(amount, ROUND_CEILING)


def rounded_down(amount: Decimal) -> int:
    """What is there: never too much. Raises `Bug` beyond `LARGEST`."""
    return _whole(amount, ROUND_FLOOR)


def spendable(amount: Decimal) -> int:
    """An amount that can be held, reserved or settled: rounded up. Raises `Bug` if it is less than nothing."""
    micros = rounded_up(amount)
    if micros < 0:
        raise Bug("an amount that is set aside or settled cannot be less than nothing")
    return micros


def usd(micros: int) -> Decimal:
    """US dollars."""
    return (Decimal(micros) * MICRO).quantize(MICRO)


def _whole(amount: Decimal, rounding: str) -> int:
    if not amount.is_finite() or abs(amount) > LARGEST:
        raise Bug(f"the ledger counts amounts up to {LARGEST:,} US dollars")
    return int(amount.quantize(MICRO, rounding).scaleb(6))
