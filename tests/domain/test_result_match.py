"""Patterns for results: a star stands for any text, and nobody's pattern keeps a worker busy."""

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.policies import ResultMatch


def holds(pattern: str, value: str | None) -> bool:
    return ResultMatch(key="state", pattern=pattern).holds(value)


@pytest.mark.parametrize(
    ("pattern", "value", "says"),
    [
        ("FOUND", "FOUND", True),
        ("FOUND", "FOUND it", False),
        ("*FOUND*", "we FOUND it", True),
        ("*FOUND*", "we found it", False),
        ("error: *", "error: ", True),
        ("error: *", "an error: x", False),
        ("*.done", "a.done", True),
        ("*", "", True),
        ("a*a", "a", False),  # the star may be nothing, the two letters are two
        ("a*b*a", "aba", True),
        ("a*b*a", "aa", False),
        ("*ab*ab", "abab", True),
        ("*ab*ab", "ab", False),
        ("**", "x", True),
        ("a.c", "abc", False),
        ("*x*", None, False),
        ("[0-9]*", "[0-9]7", True),
    ],
)
def test_what_a_pattern_means(pattern: str, value: str | None, says: bool) -> None:
    assert holds(pattern, value) is says


LETTERS = st.text("ab*", max_size=12)


@given(LETTERS.filter(bool), st.text("ab", max_size=20))
def test_it_is_what_a_shell_would_say(pattern: str, value: str) -> None:
    assert holds(pattern, value) is (re.match(fnmatch.translate(pattern), value) is not None)


def test_a_pattern_that_is_made_to_hang_does_not() -> None:
    """With a regular expression in its place this would not end in the life of the universe."""
    pattern = "*a" * 499 + "*b"
    assert not holds(pattern, "a" * 1_000_000)


def test_no_more_than_the_beginning_is_looked_through() -> None:
    assert holds("*end", "x" * 3997 + "end" + "more")
    assert not holds("*more", "x" * 3997 + "end" + "more")
