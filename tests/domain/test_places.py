"""Paths into documents: read, written, filled."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.definition.ecmascript import MISSING
from dispatcher.domain.definition.places import (
    Place,
    covers,
    is_open,
    parse_place,
    place_text,
    put,
    value_at,
)

PLACES = st.lists(st.text(max_size=8) | st.integers(0, 10**8), min_size=1, max_size=8).map(tuple)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
DOCUMENT: dict[str, Any] = {"ops": [{"args": {"env": {"A": "x"}}}, 7], "a b": None}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("d.ops[0].args.env.A", ("ops", 0, "args", "env", "A")),
        ('d["a b"][10]', ("a b", 10)),
        ('d["q\\"\\u0041"]', ('q"A',)),
        ('d["class"].class', ("class", "class")),
        ('d["0"][0]', ("0", 0)),
    ],
)
def test_a_place_is_read_as_faults_write_it(text: str, place: Place) -> None:
    assert parse_place(text, "d") == place


@pytest.mark.parametrize(
    "text",
    ["", "d", "e.a", "d.", "d..a", "d[", "d[-1]", "d[01]", "d['a']", 'd["a"', "d.a-b", "d.a b", "d.a]", 'd["\\x"]',
     "da", "d[1e3]", "d.a.", "d\n.a", "d.a\n"],
)  # fmt: skip
def test_anything_else_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no place: write it like d\.a"):
        parse_place(text, "d")


@given(PLACES)
def test_a_place_comes_back_from_its_text(place: Place) -> None:
    assert parse_place(place_text(place, "definition"), "definition") == place


@pytest.mark.parametrize(
    ("text", "there", "open_"),
    [
        ("d.ops[0].args.env.A", "x", True),
        ("d.ops[0].args.env.B", MISSING, True),
        ("d.ops[0].args.cmd.B", MISSING, False),
        ("d.ops[1]", 7, True),
        ("d.ops[2]", MISSING, False),
        ("d.ops.length", MISSING, False),
        ("d.ops[0][0]", MISSING, False),
        ('d["a b"]', None, True),
        ('d["a b"].c', MISSING, False),
    ],
)
def test_what_stands_there_and_whether_something_can_be_put_there(
    text: str, there: object, open_: bool
) -> None:
    place = parse_place(text, "d")
    assert value_at(DOCUMENT, place) == there
    assert is_open(DOCUMENT, place) is open_


@given(st.dictionaries(st.text(max_size=3), JSON, min_size=1, max_size=3), st.data())
def test_what_is_put_there_stands_there_and_nothing_else_changed(
    document: dict[str, Any], data: st.DataObject
) -> None:
    place: Place = ()
    inside: Any = document
    while isinstance(inside, dict | list) and inside and (not place or data.draw(st.booleans())):
        step = data.draw(st.sampled_from(sorted(inside) if isinstance(inside, dict) else range(len(inside))))
        place, inside = (*place, step), inside[step]
    before = repr(document)
    changed = put(document, place, {"new": 1})
    assert value_at(changed, place) == {"new": 1}
    assert repr(document) == before
    assert put(changed, place, inside) == document


def test_a_place_covers_itself_and_what_lies_in_it() -> None:
    assert covers(("a",), ("a",))
    assert covers(("a",), ("a", 0))
    assert not covers(("a", 0), ("a",))
    assert not covers(("a",), ("ab",))
