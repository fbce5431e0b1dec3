"""Prices and amounts."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.simulator import money
from dispatcher.simulator.money import Rate


@pytest.mark.parametrize(
    ("usd", "fee", "seconds", "expected"),
    [
        (0.0436, 10, 3600, 48),
        (0.0436, 10, 1800, 24),
        (0.0436, 10, 600, 8),
        (0.9, 10, 3600, 990),
        (0.9, 10, 0, 0),
        (0.9, 0, 3600, 900),
        (1.8, 0, 1, 1),  # 0.0005 exactly: half goes up
        (1.79, 0, 1, 0),
        ("5.4", 0, 1, 2),  # 0.0015
        (0.0, 10, 360_000, 0),
    ],
)
def test_price_is_rounded_half_up_to_thousandths(usd: Any, fee: Any, seconds: int, expected: int) -> None:
    assert Rate.per_hour(usd, fee).price(seconds) == expected


@given(st.decimals(0, 100, places=6), st.decimals(0, 50, places=2), st.integers(0, 10_000_000))
def test_price_is_the_formula(usd: Decimal, fee: Decimal, seconds: int) -> None:
    exact = usd * (1 + fee / 100) * seconds / 3600
    # The plain formula divides before it rounds; away from a tie both must agree.
    if abs(exact * 1000 % 1 - Decimal("0.5")) > Decimal("1e-9"):
        expected = exact.quantize(Decimal("0.001"), ROUND_HALF_UP)
        assert Rate.per_hour(usd, fee).price(seconds) == int(expected * 1000)


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (50, 50000),
        ("12.50", 12500),
        (Decimal("0.0005"), 1),
        (0.1, 100),
        (-5, -5000),
        ("-0.001", -1),
        (74.595, 74595),
    ],
)
def test_amounts_in_dollars_are_read(amount: Any, expected: int) -> None:
    assert money.thousandths(amount) == expected


@pytest.mark.parametrize("amount", ["", "many", "nan", "inf", float("inf"), None, True, [1]])
def test_what_is_no_amount_is_refused(amount: Any) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        money.thousandths(amount)


@pytest.mark.parametrize(("amount", "expected"), [(50000, "50"), (48, "0.048"), (0, "0"), (-5001, "-5.001")])
def test_wire_numbers_are_plain(amount: int, expected: str) -> None:
    assert repr(money.wire(amount)) == expected


@pytest.mark.parametrize(
    ("amount", "form", "expected"),
    [
        (1047, "$-5.000", "$1.047"),
        (0, "$-5.000", "$0.000"),
        (-5000, "$-5.000", "$-5.000"),
        (-5000, "-$5.000", "-$5.000"),
        (-5000, "$0.000", "$0.000"),
        (12, "-$5.000", "$0.012"),
    ],
)
def test_amounts_in_texts(amount: int, form: money.Negative, expected: str) -> None:
    assert money.text(amount, form) == expected
