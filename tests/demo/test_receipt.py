"""The receipt adds up, or says what does not."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.demo.receipt import Books, Receipt
from tests.demo.made import BOOKS, COUNTS, GOOD, LINES


def test_a_receipt_that_adds_up_has_no_problems() -> None:
    assert GOOD.cost == Decimal("0.381") == BOOKS.spent
    assert GOOD.problems() == []


@pytest.mark.parametrize(
    ("books", "counts", "line", "says"),
    [
        ({"after": Decimal("4.868")}, {}, {}, "fell by $0.382, but the jobs cost $0.381"),
        ({"held": Decimal("0.001")}, {}, {}, "$0.001 is still held"),
        ({}, {"posts": 3}, {}, "counts 2 posts, the network 3"),
        ({}, {"extends": 1}, {}, "counts 2 extensions, the network 1"),
        ({}, {"duplicate_posts": 1}, {}, "1 posts were made twice"),
        ({}, {"duplicate_extends": 2}, {}, "2 extensions were made twice"),
        (
            {},
            {},
            {"state": "failed"},
            "a ended as failed (finished), 2 extensions; expected: completed (finished)",
        ),
        ({}, {}, {"reason": "timed_out"}, "a ended as completed (timed_out)"),
        ({}, {"extends": 3}, {"extends": 3}, "a ended as completed (finished), 3 extensions; expected"),
    ],
)
def test_whatever_does_not_agree_is_said(
    books: dict[str, Any], counts: dict[str, Any], line: dict[str, Any], says: str
) -> None:
    lines = (replace(LINES[0], **line), *LINES[1:])
    problems = Receipt(lines, replace(BOOKS, **books), replace(COUNTS, **counts)).problems()
    assert len(problems) == 1
    assert says in problems[0]


def test_the_json_object_holds_what_a_reader_can_check() -> None:
    assert GOOD.as_json() == {
        "jobs": 3,
        "completed": 1,
        "stopped": 1,
        "failed": 0,
        "rejected": 1,
        "extends": 2,
        "posts": 2,
        "duplicate_posts": 0,
        "spent_usd": 0.381,
        "held_usd": 0.0,
        "balance_before_usd": 5.25,
        "balance_after_usd": 4.869,
        "credit_added_usd": 0.25,
    }


_AMOUNTS = st.integers(min_value=0, max_value=10**9).map(lambda thousandths: Decimal(thousandths) / 1000)


@given(at_start=_AMOUNTS, added=_AMOUNTS, after=_AMOUNTS)
def test_amounts_survive_json_to_the_thousandth(at_start: Decimal, added: Decimal, after: Decimal) -> None:
    receipt = Receipt(LINES, Books(at_start, added, after, Decimal(0)), COUNTS)
    read = json.loads(json.dumps(receipt.as_json()), parse_float=Decimal)
    assert read["balance_before_usd"] - read["balance_after_usd"] == read["spent_usd"]
    assert read["balance_before_usd"] - read["credit_added_usd"] == at_start
