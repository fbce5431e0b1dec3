"""Money: US dollars as `Decimal`, the price of time, and how the network rounds.

Sources: Nosana credits API. The price of `s` seconds is
`usd_reward_per_hour * (1 + network_fee_percentage / 100) * s / 3600`; the service counts thousandths of a
dollar; at the end the seconds that were used are paid, never more than were allowed.
"""

from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

THOUSANDTH = Decimal("0.001")
MICRO = Decimal("0.000001")
_HOUR = Decimal(3600)
_LONGEST = 60
"""Characters of an amount as it is written: nine digits before the point, and any decimals that are meant."""


def price(rate_per_hour: Decimal, seconds: float) -> Decimal:
    """What the network asks for `seconds` at `rate_per_hour` (fee included): rounded to a thousandth, half up."""
    return (rate_per_hour * Decimal(str(seconds)) / _HOUR).quantize(THOUSANDTH, ROUND_HALF_UP)


def price_at_most(rate_per_hour: Decimal, seconds: float) -> Decimal:
    """The most that `seconds` can cost: rounded up, so that a hold of it always suffices."""
    return (rate_per_hour * Decimal(str(seconds)) / _HOUR).quantize(THOUSANDTH, ROUND_CEILING)


def affordable_seconds(rate_per_hour: Decimal, budget: Decimal) -> int:
    """Whole seconds that `budget` pays for, by `price_at_most`; a market without a price pays for ever: refused."""
    if rate_per_hour <= 0:
        raise ValueError("a rate must be more than nothing")
    if budget <= 0:
        return 0
    return int(budget.quantize(THOUSANDTH, "ROUND_FLOOR") * _HOUR / rate_per_hour)


def parse_usd(value: object) -> Decimal:
    """US dollars from a string, an int or a Decimal: finite, not negative, at most six decimals.

    Raises ValueError. Floats are taken by their shortest text (`2.5`), since JSON has no other numbers.
    """
    amount = parse_rate(value)
    if amount != amount.quantize(MICRO):
        raise ValueError("an amount may have at most six decimals")
    return amount


def parse_rate(value: object) -> Decimal:
    """The same with as many decimals as there are: the network's prices and percentages are never rounded."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        raise ValueError('an amount is US dollars as a text or a number: "2.50"')
    if len(str(value)) > _LONGEST:
        raise ValueError(f'a text of {len(str(value))} characters is not an amount; write US dollars: "2.50"')
    try:
        amount = Decimal(str(value).strip().removeprefix("$"))
    except ArithmeticError as e:
        raise ValueError(f'{str(value)[:40]!r} is not an amount; write US dollars: "2.50"') from e
    if not amount.is_finite() or amount < 0 or amount > Decimal(10**9):
        raise ValueError("an amount must be between 0 and 1,000,000,000 US dollars")
    return amount


def format_usd(amount: Decimal) -> str:
    """`2.500`: three decimals like the network's own texts, more where they are needed."""
    exact = amount.normalize()
    exponent = exact.as_tuple().exponent
    decimals = max(3, -exponent) if isinstance(exponent, int) else 3
    return f"{amount:.{decimals}f}"


def _validate(value: Any) -> Decimal:
    return parse_usd(value)


def _validate_rate(value: Any) -> Decimal:
    return parse_rate(value)


Usd = Annotated[
    Decimal,
    BeforeValidator(_validate),
    PlainSerializer(format_usd, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["2.50"]}),
]
"""A pydantic field type for an amount that cannot be negative."""

Rate = Annotated[
    Decimal,
    BeforeValidator(_validate_rate),
    PlainSerializer(format_usd, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["0.04796"]}),
]
"""A pydantic field type for the price of an hour, or a percentage of it: exact, as the network computes."""
