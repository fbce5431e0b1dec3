"""The bytes of a definition are those of JavaScript's `JSON.stringify`."""

import json
import math
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.definition import canonical_json

# Each row was put through `JSON.stringify(JSON.parse(text))` of node 20.
FROM_NODE = [
    (r"""1.0""", "1"),
    (r"""-0.0""", "0"),
    (r"""-0""", "0"),
    (r"""1e21""", "1e+21"),
    (r"""1e20""", "100000000000000000000"),
    (r"""123456789012345680000""", "123456789012345680000"),
    (r"""123456789012345678901""", "123456789012345680000"),
    (r"""999999999999999999999""", "1e+21"),
    (r"""9007199254740991""", "9007199254740991"),
    (r"""9007199254740993""", "9007199254740992"),
    (r"""-9007199254740993""", "-9007199254740992"),
    (r"""100000000000000000000000""", "1e+23"),
    (r"""1e16""", "10000000000000000"),
    (r"""1.5e300""", "1.5e+300"),
    (r"""0.1""", "0.1"),
    (r"""0.30000000000000004""", "0.30000000000000004"),
    (r"""4.35""", "4.35"),
    (r"""123456789.123456789""", "123456789.12345679"),
    (r"""1E5""", "100000"),
    (r"""1e-6""", "0.000001"),
    (r"""1e-7""", "1e-7"),
    (r"""0.00001234""", "0.00001234"),
    (r"""0.000000123""", "1.23e-7"),
    (r"""5e-324""", "5e-324"),
    (r"""2e-324""", "0"),
    (r"""1.7976931348623157e308""", "1.7976931348623157e+308"),
    (r"""1e400""", "null"),
    (r"""-1e400""", "null"),
    (r"""-1.25e-9""", "-1.25e-9"),
    (r"""[1.0, 100.0, 1e2]""", "[1,100,100]"),
    (r'''"\u00e9\u2713 \ud83d\ude00"''', '"\xe9\u2713 \U0001f600"'),
    (r'''"\u0000\u001f\u007f\u0080\u2028\ufeff"''', '"\\u0000\\u001f\x7f\x80\u2028\ufeff"'),
    (r'''"\b\f\n\r\t\"\\\/"''', '"\\b\\f\\n\\r\\t\\"\\\\/"'),
    (r'''"\ud800"''', '"\\ud800"'),
    (r'''"\udc00\ud800"''', '"\\udc00\\ud800"'),
    (r'''"a\udfffb\ud83d\ude00\ud83d"''', '"a\\udfffb\U0001f600\\ud83d"'),
    (r'''"\uD83D\uDE00\uDE00"''', '"\U0001f600\\ude00"'),
    (r"""{"b": 1, "a": 2}""", '{"b":1,"a":2}'),
    (r"""{"b": 1, "10": 2, "9": 3, "a": 4}""", '{"9":3,"10":2,"b":1,"a":4}'),
    (
        r"""{"4294967295": 1, "x": 2, "4294967294": 3, "0": 4}""",
        '{"0":4,"4294967294":3,"4294967295":1,"x":2}',
    ),
    (r"""{"x": 1, "4294967295": 2, "4294967294": 3}""", '{"4294967294":3,"x":1,"4294967295":2}'),
    (r"""{"01": 1, "1": 2, "-1": 3, "1.0": 4, "": 5}""", '{"1":2,"01":1,"-1":3,"1.0":4,"":5}'),
    (r"""{"\u0663": 1, "3": 2}""", '{"3":2,"\u0663":1}'),
    (r"""{"a": {"2": {"y": 1, "0": 2}, "1": 3}}""", '{"a":{"1":3,"2":{"0":2,"y":1}}}'),
    (r"""{"\ud800": "\u0001"}""", '{"\\ud800":"\\u0001"}'),
    (r"""{"a": 1, "b": 2, "a": 3}""", '{"a":3,"b":2}'),
    (r"""{"__proto__": 1, "toJSON": 2}""", '{"__proto__":1,"toJSON":2}'),
    (r"""{ "a" : [ ] , "b" : { } , "c" : [ [ ] , { } ] }""", '{"a":[],"b":{},"c":[[],{}]}'),
    (r"""[true, false, null]""", "[true,false,null]"),
]

TEXT = st.text(st.characters(codec=None, exclude_categories=()))
"""Any code points, lone surrogates too."""
KEYS = TEXT | st.integers(-2, 2**33).map(str)
EXACT = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)


def documents(numbers: st.SearchStrategy[Any], texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | numbers | texts,
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
        max_leaves=20,
    )


@pytest.mark.parametrize(("text", "expected"), FROM_NODE)
def test_bytes_are_those_of_node(text: str, expected: str) -> None:
    assert canonical_json(json.loads(text)) == expected.encode()


def test_surrogates_that_python_keeps_apart_are_one_character_to_javascript() -> None:
    assert canonical_json("\ud83d" + "\ude00") == '"\U0001f600"'.encode()


def test_integers_beyond_all_doubles_are_null() -> None:
    assert canonical_json([10**400, -(10**400), math.inf, math.nan]) == b"[null,null,null,null]"


def test_other_mappings_and_tuples_are_written_as_objects_and_arrays() -> None:
    assert canonical_json(MappingProxyType({"a": (1, True)})) == b'{"a":[1,true]}'


def test_nesting_deeper_than_the_interpreter_recurses() -> None:
    document: list[Any] = []
    for _ in range(5000):
        document = [document]
    assert canonical_json(document) == b"[" * 5001 + b"]" * 5001


@pytest.mark.parametrize("foreign", [b"x", {1, 2}, object(), {"a": [1j]}])
def test_what_json_does_not_have_is_refused(foreign: object) -> None:
    with pytest.raises(TypeError, match="JSON has no"):
        canonical_json(foreign)


def test_keys_other_than_strings_are_refused() -> None:
    with pytest.raises(TypeError, match="string keys only"):
        canonical_json({"a": {1: 2}})


@given(documents(EXACT, st.text()))
def test_reading_the_bytes_gives_the_document_back(document: object) -> None:
    # As doubles: 1e22 is written as the 1 and the zeros that read back as it, which no Python integer has to equal.
    assert json.loads(canonical_json(document), parse_int=float) == document


@given(documents(st.integers() | st.floats(), KEYS))
def test_writing_twice_changes_nothing(document: object) -> None:
    once = canonical_json(document)
    assert canonical_json(json.loads(once)) == once


@given(documents(EXACT, KEYS))
def test_there_is_no_blank_outside_strings_and_nothing_is_escaped_without_need(document: object) -> None:
    text = canonical_json(document).decode()
    assert json.dumps(json.loads(text), separators=(",", ":")).count('"') == text.count('"')
    assert "\\/" not in text.replace("\\\\", "")


@given(st.lists(st.integers(0, 2**32 - 2), unique=True), st.lists(st.text("abc", min_size=1), unique=True))
def test_array_indexes_come_first_in_ascending_order(indexes: list[int], names: list[str]) -> None:
    document = dict.fromkeys([*names, *map(str, indexes)], 0)
    assert list(json.loads(canonical_json(document))) == [*map(str, sorted(indexes)), *names]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_its_value_and_has_no_needless_digits(number: float) -> None:
    text = canonical_json(number).decode()
    assert float(text) == number
    assert not text.endswith(".0")
    assert len(text.lstrip("-")) <= 25
