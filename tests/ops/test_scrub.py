"""Secrets are replaced wherever they stand."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import SecretStr

from dispatcher.ops.scrub import Scrubber

CANARY = "canary-4711-secret"


@pytest.mark.parametrize(
    "write", [str, quote, quote_plus, json.dumps, repr, lambda text: quote(text, safe="")]
)
@given(secret=st.text(min_size=4, max_size=20), before=st.text(max_size=5), after=st.text(max_size=5))
def test_a_known_secret_is_replaced_in_every_form(write: Any, secret: str, before: str, after: str) -> None:
    assume("*" not in secret)
    written = write(secret)
    assume(written not in before + "***" + after)
    assert written not in Scrubber([SecretStr(secret)]).text(before + written + after)


def test_where_one_secret_is_part_of_another_nothing_remains() -> None:
    assert (
        Scrubber(["secret", "secret-and-more", "more-still"]).text("x secret-and-more-still y")
        == "x ***-still y"
    )


def test_short_secrets_do_not_garble_words() -> None:
    assert Scrubber(["a", "", "in"]).text("a word in between") == "a word in between"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abcdef.ghi", "Authorization: *** ***"),
        ("illegal header b'bearer abcdefgh'", "illegal header b'bearer ***'"),
        ("key nos_0123456789abcdef was", "key nos_*** was"),
        ("token eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl.", "token ***."),
        ("redis://user:pass@host:6379/0 failed", "redis://user:***@host:6379/0 failed"),
        ("redis://host:6379/0 failed", "redis://host:6379/0 failed"),
        ("{'api_key': 'abc', 'x': 1}", "{'api_key': '***', 'x': 1}"),
        ("password=abc&user=x", "password=***&user=x"),
        ('{"jwt": "abc"}', '{"jwt": "***"}'),
        ("api_key=None", "api_key=None"),
        ("the fencing token: 7", "the fencing token: 7"),
        ("nos_short and noseyJ", "nos_short and noseyJ"),
    ],
)
def test_shapes_of_secrets(text: str, shown: str) -> None:
    assert Scrubber().text(text) == shown


class _Holder:
    def __repr__(self) -> str:
        return f"Holder({CANARY})"


@pytest.mark.parametrize(
    "value",
    [
        CANARY,
        CANARY.encode(),
        SecretStr(CANARY),
        [CANARY],
        (1, {"a": [CANARY]}),
        {CANARY: 1},
        {CANARY},
        ValueError(f"about {CANARY}"),
        Path("/etc") / CANARY,
        _Holder(),
    ],
)
def test_no_value_shows_a_known_secret_and_all_are_plain(value: Any) -> None:
    assert CANARY not in json.dumps(Scrubber([CANARY]).value({"field": value}))


@pytest.mark.parametrize(
    "name", ["api_key", "API-KEY", "apikey", "Authorization", "ipfs_jwt", "redis_password", "secret"]
)
@pytest.mark.parametrize("value", ["x", 1, ["x"], {"a": "x"}])
def test_fields_with_names_of_secrets_are_hidden(name: str, value: Any) -> None:
    assert Scrubber()(None, "info", {"event": "e", name: value}) == {"event": "e", name: "***"}
    assert Scrubber().value([{name: value}]) == [{name: "***"}]


def test_other_values_stay_as_they_are() -> None:
    fields = {
        "event": "job_posted",
        "n": 5,
        "x": 1.5,
        "none": None,
        "yes": True,
        "usd": Decimal("1.20"),
        "api_key": None,
    }
    fields["token"] = 7
    assert Scrubber([CANARY])(None, "info", fields) == {**fields, "usd": "1.20"}


def test_a_number_that_is_a_secret_is_hidden() -> None:
    assert Scrubber(["12345"]).value([12345, 1234, 123456]) == ["***", 1234, 123456]


def test_a_value_that_contains_itself_has_an_end() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert "..." in json.dumps(Scrubber().value(loop))


def test_the_scrubber_does_not_show_its_secrets() -> None:
    assert CANARY not in repr(Scrubber([CANARY]))
