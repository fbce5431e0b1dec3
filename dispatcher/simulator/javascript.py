"""JSON as JavaScript reads and writes it: what a pinned document looks like after it was parsed and written
again.

A pinned document is known by the hash of its bytes, so every byte counts: no blanks, keys in insertion order
but integer-like keys first, `1.0` as `1`, non-ASCII unescaped, lone surrogates escaped.
"""

import json
import math
import re
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

_ARRAY_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SAFE_INTEGER = 2**53


def parse(text: str | bytes) -> Any:
    """JSON to a value, key order kept. Raises ValueError for anything else, `NaN` and `Infinity` included."""
    return json.loads(text, parse_constant=_no_constant)


def stringify(value: Any) -> str:
    """What `JSON.stringify` gives for a parsed JSON value."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return _string(value)
        case int():
            return str(value) if abs(value) <= _SAFE_INTEGER else _number(_as_double(value))
        case float():
            return _number(value)
        case dict():
            return "{" + ",".join(f"{_string(key)}:{stringify(value[key])}" for key in _ordered(value)) + "}"
        case list():
            return "[" + ",".join(stringify(item) for item in value) + "]"
        case _:
            raise TypeError(f"not a JSON value: {type(value).__name__}")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _ordered(value: dict[str, Any]) -> list[str]:
    """Keys as JavaScript keeps them: array indices ascending, then the others as they came."""
    indices = [key for key in value if _ARRAY_INDEX.fullmatch(key) and int(key) < 2**32 - 1]
    if not indices:
        return list(value)
    first = set(indices)
    return sorted(indices, key=int) + [key for key in value if key not in first]


def _string(text: str) -> str:
    quoted: str = encode_basestring(text)
    return _SURROGATE.sub(lambda found: f"\\u{ord(found.group()):04x}", quoted)


def _as_double(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _number(value: float) -> str:
    """ECMAScript's Number::toString: the shortest digits, exponents only below 1e-6 and from 1e21 on."""
    if not math.isfinite(value):
        return "null"
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    parts = Decimal(repr(abs(value))).normalize().as_tuple()
    digits = "".join(map(str, parts.digits))
    point = len(digits) + int(parts.exponent)
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{sign}{mantissa}e{point - 1:+d}"
