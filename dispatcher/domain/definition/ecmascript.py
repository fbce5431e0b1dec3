"""How JavaScript sees a JSON document: kinds of values, order of keys, and how it writes names and numbers.

The network's validator and the pinned bytes are JavaScript's, so its views decide where they differ from
Python's: a boolean is no number, every number is a double, integer-like keys come first.
"""

import json
import math
import re
from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Final


class Kind(StrEnum):
    """What a value is in JSON. MISSING: the key is not there. FOREIGN: not JSON (a date, a set, bytes)."""

    MISSING = "missing"
    NULL = "null"
    BOOLEAN = "boolean"
    NUMBER = "number"
    STRING = "string"
    ARRAY = "array"
    OBJECT = "object"
    FOREIGN = "foreign"


class Missing(Enum):
    """The type of `MISSING`, JavaScript's `undefined`."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING

_KINDS: Final[Mapping[type, Kind]] = {
    Missing: Kind.MISSING,
    type(None): Kind.NULL,
    bool: Kind.BOOLEAN,
    int: Kind.NUMBER,
    float: Kind.NUMBER,
    str: Kind.STRING,
    list: Kind.ARRAY,
    tuple: Kind.ARRAY,
    dict: Kind.OBJECT,
}
_EXACT_INTEGERS: Final = 2**53
_LAST_INDEX: Final = 2**32 - 2
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_RESERVED: Final = re.compile(
    "break|case|catch|class|const|continue|debugger|default|delete|do|else|enum|export|extends|false|finally|for|"
    "function|if|import|in|instanceof|new|null|return|super|switch|this|throw|true|try|typeof|var|void|while|with"
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SURROGATE_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_quote: Final = json.JSONEncoder(ensure_ascii=False).encode


def kind_of(value: object) -> Kind:
    """The kind of a value as `json.loads` gives it; subclasses, other mappings and tuples count too."""
    kind = _KINDS.get(type(value))
    if kind is not None:
        return kind
    match value:
        case str():
            return Kind.STRING
        case int() | float():
            return Kind.NUMBER
        case Mapping():
            return Kind.OBJECT
        case list() | tuple():
            return Kind.ARRAY
        case _:
            return Kind.FOREIGN


def member(value: object, name: str) -> object:
    """`value[name]`, or MISSING; an array has no named members."""
    return value.get(name, MISSING) if isinstance(value, Mapping) else MISSING


def own_keys(value: object) -> Sequence[str]:
    """`Object.keys(value)`: array indexes first, in ascending order, then the others as they came."""
    if not isinstance(value, Mapping):
        return [str(index) for index in range(len(value))] if isinstance(value, (list, tuple)) else []
    keys: list[str] = list(value)
    indexes = [key for key in keys if key[:1].isdigit() and _is_index(key)]
    if not indexes:
        return keys
    return sorted(indexes, key=int) + [key for key in keys if not _is_index(key)]


def _is_index(key: str) -> bool:
    return _INDEX.fullmatch(key) is not None and int(key) <= _LAST_INDEX


def truthy(value: object) -> bool:
    """Whether JavaScript takes `value` for true: all but missing, null, false, 0, NaN and ""."""
    match kind_of(value):
        case Kind.MISSING | Kind.NULL:
            return False
        case Kind.ARRAY | Kind.OBJECT:
            return True
        case _:
            return bool(value) and not (isinstance(value, float) and math.isnan(value))


def identity(value: object) -> Hashable:
    """Equal for values that a JavaScript `Set` takes for the same; arrays and objects are only themselves."""
    kind = kind_of(value)
    match value:
        case None | bool() | str():
            return (kind, value)
        case int() | float():
            number = double(value)
            return (kind, "NaN" if math.isnan(number) else number)
        case _:
            return (kind, id(value))


def double(number: float) -> float:
    """The IEEE double that JavaScript holds for a number; integers beyond its range are infinite."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def accessor(name: str) -> str:
    """How a member is written behind a path: `.name`, or `["a b"]` where that is no identifier."""
    if _IDENTIFIER.fullmatch(name) and not _RESERVED.fullmatch(name):
        return f".{name}"
    return f"[{string_text(name)}]"


def string_text(text: str) -> str:
    """`JSON.stringify` of a string: only quotes, backslashes, controls and lone surrogates are escaped."""
    quoted = _quote(text)
    if _SURROGATE.search(quoted) is None:
        return quoted
    whole = _SURROGATE_PAIR.sub(_join_pair, quoted)
    return _SURROGATE.sub(lambda lone: f"\\u{ord(lone[0]):04x}", whole)


def _join_pair(pair: re.Match[str]) -> str:
    return pair[0].encode("utf-16", "surrogatepass").decode("utf-16")


def number_text(number: float) -> str:
    """`JSON.stringify` of a number: the shortest digits of its double; not finite gives null."""
    if isinstance(number, int) and -_EXACT_INTEGERS <= number <= _EXACT_INTEGERS:
        return str(int(number))
    value = double(number)
    if not math.isfinite(value):
        return "null"
    if value == 0:
        return "0"
    # Python's repr has the same digits; only where the point goes and when an exponent is written differ.
    sign, digit_tuple, exponent = Decimal(repr(value)).normalize().as_tuple()
    digits = "".join(map(str, digit_tuple))
    point = len(digits) + int(exponent)
    return ("-" if sign else "") + _place_point(digits, point)


def _place_point(digits: str, point: int) -> str:
    """`Number::toString` of ECMA-262: `digits` with the decimal point behind the first `point` of them."""
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"
