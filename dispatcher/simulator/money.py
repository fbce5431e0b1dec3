"""Credits: US dollars, counted in whole thousandths inside and written as plain numbers on the wire.

Price of s seconds = price per hour * (1 + network fee %) * s / 3600, rounded to $0.001, half up (Nosana
credits API, money). All arithmetic is on integers and fractions, so no context or float can bend it.
"""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Literal, TypeAlias

Dollars: TypeAlias = Decimal | float | int | str
Negative: TypeAlias = Literal["$-5.000", "-$5.000", "$0.000"]


@dataclass(frozen=True, slots=True)
class Rate:
    """What a second costs, in thousandths of a dollar, as an exact fraction."""

    numerator: int
    denominator: int

    @classmethod
    def per_hour(cls, usd: Dollars, fee_percent: Dollars) -> "Rate":
        """The rate of a market: USD per hour without the network fee, and that fee in percent."""
        exact = Fraction(Decimal(str(usd))) * (100 + Fraction(Decimal(str(fee_percent)))) / 100 * 1000 / 3600
        return cls(exact.numerator, exact.denominator)

    def price(self, seconds: int) -> int:
        """Thousandths of a dollar for `seconds`, rounded half up."""
        return (2 * self.numerator * seconds + self.denominator) // (2 * self.denominator)


def thousandths(amount: Dollars) -> int:
    """US dollars to whole thousandths, rounded half up. Raises ValueError if it is no finite number."""
    try:
        value = Decimal(str(amount))
    except InvalidOperation:
        raise ValueError(f"not an amount of US dollars: {amount!r}") from None
    if isinstance(amount, bool) or not value.is_finite():
        raise ValueError(f"not an amount of US dollars: {amount!r}")
    exact = Fraction(value) * 1000
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


def wire(amount: int) -> float | int:
    """Thousandths as the number that goes on the wire: 50 for 50000, 0.048 for 48."""
    return amount // 1000 if amount % 1000 == 0 else amount / 1000


def text(amount: int, negative: Negative = "$-5.000") -> str:
    """Thousandths in words of the error texts: `$1.047`; below zero in one of the three forms that have been
    seen or must be expected (clamped to zero, the sign behind or before the dollar)."""
    if amount < 0 and negative == "$0.000":
        amount = 0
    number = f"{abs(amount) // 1000}.{abs(amount) % 1000:03d}"
    if amount >= 0:
        return f"${number}"
    return f"-${number}" if negative == "-$5.000" else f"$-{number}"
