"""Money is exact: prices as the network rounds them, budgets that are never exceeded, texts that lose nothing."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from dispatcher.domain.money import (
    Rate,
    Usd,
    affordable_seconds,
    format_usd,
    parse_rate,
    parse_usd,
    price,
    price_at_most,
)

THOUSANDTH = Decimal("0.001")
SECONDS = st.integers(min_value=0, max_value=360_000)
AMOUNTS = st.decimals(min_value=0, max_value=10**9, places=6)
RATES = st.one_of(
    st.decimals(min_value="0.0001", max_value=100, places=4),
    # What comes of binary fractions and a fee: `0.0436 * 1.1` in many digits.
    st.floats(min_value=0.001, max_value=100).map(lambda usd: Decimal(str(usd)) * Decimal("1.1")),
)


@pytest.mark.parametrize(
    ("rate", "seconds", "exactly", "at_most"),
    [
        ("0.04796", 300, "0.004", "0.004"),  # 0.00399666...
        ("0.04796", 600, "0.008", "0.008"),  # 0.00799333...
        ("0.04796", 1500, "0.020", "0.020"),  # 0.01998333...
        ("3.6", 1, "0.001", "0.001"),
        ("3.6", 0, "0.000", "0.000"),
        ("3.6", 3600, "3.600", "3.600"),
        ("1.8", 1, "0.001", "0.001"),  # half a thousandth: up
        ("1.79", 1, "0.000", "0.001"),
        ("3.601", 3600, "3.601", "3.601"),
        ("3.6", 1.5, "0.002", "0.002"),
        ("3.6", 1.4, "0.001", "0.002"),
        ("0.000001", 1, "0.000", "0.001"),
    ],
)
def test_the_price_of_time(rate: str, seconds: float, exactly: str, at_most: str) -> None:
    assert price(Decimal(rate), seconds) == Decimal(exactly)
    assert price_at_most(Decimal(rate), seconds) == Decimal(at_most)


@given(RATES, SECONDS)
def test_prices_are_whole_thousandths_and_within_one_of_the_truth(rate: Decimal, seconds: int) -> None:
    true = Fraction(rate) * seconds / 3600
    exactly, at_most = price(rate, seconds), price_at_most(rate, seconds)
    assert isinstance(exactly, Decimal)
    assert isinstance(at_most, Decimal)
    assert exactly == exactly.quantize(THOUSANDTH)
    assert at_most == at_most.quantize(THOUSANDTH)
    assert exactly <= at_most
    assert abs(Fraction(exactly) - true) <= Fraction(1, 2000)
    assert true <= Fraction(at_most) < true + Fraction(1, 1000)


@given(RATES, SECONDS, SECONDS)
def test_more_time_never_costs_less(rate: Decimal, some: int, others: int) -> None:
    less, more = sorted((some, others))
    assert price(rate, less) <= price(rate, more)
    assert price_at_most(rate, less) <= price_at_most(rate, more)


@pytest.mark.parametrize(
    ("rate", "budget", "seconds"),
    [
        ("3.6", "1", 1000),
        ("3.6", "0.0019", 1),  # what the network does not count pays for nothing
        ("3.6", "0.0009", 0),
        ("3.6", "0", 0),
        ("3.6", "-1", 0),
        ("3", "1", 1200),
        ("0.04796", "0.02", 1501),
        ("1000000", "0.001", 0),
    ],
)
def test_what_a_budget_pays_for(rate: str, budget: str, seconds: int) -> None:
    assert affordable_seconds(Decimal(rate), Decimal(budget)) == seconds


@pytest.mark.parametrize("rate", ["0", "-0.1"])
def test_time_that_costs_nothing_is_refused(rate: str) -> None:
    with pytest.raises(ValueError, match="more than nothing"):
        affordable_seconds(Decimal(rate), Decimal(1))


@given(RATES, st.decimals(min_value=0, max_value=1000, places=6))
def test_a_budget_is_used_up_and_never_exceeded(rate: Decimal, budget: Decimal) -> None:
    seconds = affordable_seconds(rate, budget)
    assert isinstance(seconds, int)
    assert price(rate, seconds) <= price_at_most(rate, seconds) <= budget
    assert price_at_most(rate, seconds + 1) > budget.quantize(THOUSANDTH, "ROUND_FLOOR")


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        ("2.50", "2.5"),
        ("$2.50", "2.5"),
        (" 2.5 ", "2.5"),
        ("$ 2.5", "2.5"),
        (2, "2"),
        (2.5, "2.5"),
        (0.1, "0.1"),  # by its shortest text, not 0.1000000000000000055
        (1e-6, "0.000001"),
        ("1e3", "1000"),
        ("0", "0"),
        ("0.000001", "0.000001"),
        ("2.5000000000", "2.5"),
        ("1000000000", "1000000000"),
        (Decimal("1.234567"), "1.234567"),
    ],
)
def test_amounts_that_are_read(value: object, amount: str) -> None:
    assert parse_usd(value) == Decimal(amount)
    assert isinstance(parse_usd(value), Decimal)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "is not an amount"),
        ("much", "is not an amount"),
        ("2,50", "is not an amount"),
        ("2.50 USD", "is not an amount"),
        ("$$2", "is not an amount"),
        ("x" * 1000, "is not an amount"),
        (True, "a text or a number"),
        (None, "a text or a number"),
        ([1], "a text or a number"),
        (b"1", "a text or a number"),
        ("-0.01", "between 0 and"),
        (-1, "between 0 and"),
        ("1000000000.000001", "between 0 and"),
        ("1e999999999", "between 0 and"),
        (10**10, "between 0 and"),
        ("NaN", "between 0 and"),
        ("sNaN", "between 0 and"),
        ("Infinity", "between 0 and"),
        (float("inf"), "between 0 and"),
        (float("nan"), "between 0 and"),
        ("0.0000001", "six decimals"),
        ("1e-999999", "six decimals"),
        (0.1 + 0.2, "six decimals"),
    ],
)
def test_amounts_that_are_refused(value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        parse_usd(value)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.000"),
        ("2.5", "2.500"),
        ("2.5000", "2.500"),
        ("0.04796", "0.04796"),
        ("0.000001", "0.000001"),
        ("1E+3", "1000.000"),
        ("1000000000", "1000000000.000"),
        ("-5", "-5.000"),
    ],
)
def test_amounts_that_are_written(amount: str, text: str) -> None:
    assert format_usd(Decimal(amount)) == text


@given(AMOUNTS)
def test_what_is_written_is_read_back_exactly(amount: Decimal) -> None:
    assert parse_usd(format_usd(amount)) == amount
    assert parse_rate(format_usd(amount)) == amount


@given(RATES)
def test_rates_are_kept_whole_however_many_decimals_they_have(rate: Decimal) -> None:
    field: TypeAdapter[Decimal] = TypeAdapter(Rate)
    assert field.validate_python(rate) == rate
    assert field.validate_json(field.dump_json(rate)) == rate


class Priced(BaseModel):
    """A model with both field types."""

    amount: Usd
    rate: Rate


@given(AMOUNTS, RATES)
def test_the_field_types_survive_json_as_texts(amount: Decimal, rate: Decimal) -> None:
    priced = Priced(amount=amount, rate=rate)
    dumped = priced.model_dump(mode="json")
    assert isinstance(dumped["amount"], str)  # a JSON number would be read as a binary fraction
    assert isinstance(dumped["rate"], str)
    assert Priced.model_validate_json(priced.model_dump_json()) == priced


@pytest.mark.parametrize("value", [-1, "NaN", True, "much", None, float("inf")])
def test_the_field_types_refuse_what_the_parsers_refuse(value: object) -> None:
    for name in ("amount", "rate"):
        with pytest.raises(ValidationError):
            Priced.model_validate({"amount": "1", "rate": "1", name: value})


@given(st.floats(min_value=0, max_value=1e6, allow_subnormal=False))
def test_a_float_never_stays_a_float(value: float) -> None:
    amount = parse_rate(value)
    assert isinstance(amount, Decimal)
    assert float(amount) == value
