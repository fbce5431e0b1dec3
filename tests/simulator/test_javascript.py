"""JSON as JavaScript writes it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.simulator import javascript


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1.0", "1"),
        ("-0.0", "0"),
        ("-0", "0"),
        ("1e21", "1e+21"),
        ("1e20", "100000000000000000000"),
        ("0.000001", "0.000001"),
        ("0.0000001", "1e-7"),
        ("1.5e-7", "1.5e-7"),
        ("123.456", "123.456"),
        ("9007199254740993", "9007199254740992"),
        ("12345678901234567890", "12345678901234567000"),
        ("1e400", "null"),
        ("5e-324", "5e-324"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ('"\\u00e9\\u2713"', '"é✓"'),
        ('"\\ud83d\\ude00"', '"😀"'),
        ('"\\ud83d"', '"\\ud83d"'),
        ('"\\u0000\\b\\f\\n\\r\\t\\"\\\\\\/\\u007f\\u2028"', '"\\u0000\\b\\f\\n\\r\\t\\"\\\\/\x7f\u2028"'),
        ('{"b":1,"a":2}', '{"b":1,"a":2}'),
        ('{"b":1,"10":2,"9":3,"a":4}', '{"9":3,"10":2,"b":1,"a":4}'),
        ('{"01":1,"-1":2,"4294967295":3,"4294967294":4}', '{"4294967294":4,"01":1,"-1":2,"4294967295":3}'),
        ('{"a":1,"a":2}', '{"a":2}'),
        ("[true, false, null, [ ], { }]", "[true,false,null,[],{}]"),
    ],
)
def test_writes_as_javascript_does(written: str, expected: str) -> None:
    assert javascript.stringify(javascript.parse(written)) == expected


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "{", "", "'a'"])
def test_refuses_what_is_not_json(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        javascript.parse(text)


def test_refuses_values_that_json_does_not_have() -> None:
    with pytest.raises(TypeError, match="bytes"):
        javascript.stringify({"a": b""})


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_JSON)
def test_what_is_written_reads_back_equal_and_is_written_the_same_again(value: object) -> None:
    text = javascript.stringify(value)
    assert json.loads(text, parse_int=float) == value
    assert javascript.stringify(javascript.parse(text)) == text
