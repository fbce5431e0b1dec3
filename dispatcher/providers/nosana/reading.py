"""JSON that is read without guessing: exact money, no NaN, no boolean for a number, no half characters."""

import json
import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from dispatcher.domain.money import MICRO

_LARGEST: Final = Decimal(10**9)
_LARGEST_WHOLE: Final = 10**11
"""More than any time in unix seconds, and so than any time-out."""

_MAYBE_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


class Unreadable(ValueError):
    """An answer lacks what is needed. The message names the place and repeats nothing of the answer."""


def read_json(body: bytes) -> Any:
    """Decoded JSON with every fraction as `Decimal`: for answers with money in them. Raises `Unreadable`."""
    return _load(body, Decimal)


def read_document(body: bytes) -> Any:
    """Decoded JSON with fractions as finite floats, so that it can be written again. Raises `Unreadable`."""
    return _load(body, _finite)


def an_object(value: object, what: str) -> dict[str, Any]:
    """`value` if it is an object. Raises `Unreadable`."""
    if not isinstance(value, dict):
        raise Unreadable(f"{what} is not an object")
    return value


def a_list(value: object, what: str) -> list[Any]:
    """`value` if it is a list. Raises `Unreadable`."""
    if not isinstance(value, list):
        raise Unreadable(f"{what} is not a list")
    return value


def maybe_text(value: object) -> str | None:
    """`value` if it is a text with something in it, else None."""
    return value if isinstance(value, str) and value else None


def maybe_number(value: object) -> Decimal | None:
    """`value` if it is a finite number up to 10^9 on either side, else None. Booleans and texts are not numbers."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    if isinstance(value, int) and abs(value) > _LARGEST:
        return None
    number = +Decimal(value)  # to 28 digits: an answer may hold millions
    return number if number.is_finite() and abs(number) <= _LARGEST else None


def dollars(fields: dict[str, Any], name: str) -> Decimal:
    """US dollars under `name`, to a millionth: below that is only the noise of binary fractions.

    Raises `Unreadable` for what is missing or no number.
    """
    number = maybe_number(fields.get(name))
    if number is None:
        raise Unreadable(f"{name} is not an amount")
    return number.quantize(MICRO, ROUND_HALF_UP)


def a_whole_number(fields: dict[str, Any], name: str) -> int:
    """The integer under `name`, not negative, at most 10^11. Raises `Unreadable`."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST_WHOLE:
        raise Unreadable(f"{name} is not a whole number of a size that can be meant")
    return value


def _load(body: bytes, parse_float: Callable[[str], Any]) -> Any:
    # The decoder's own errors carry the whole answer with them; their causes are left behind on purpose.
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise Unreadable(f"not UTF-8 at byte {e.start}") from None
    if not text.strip():
        raise Unreadable("the answer is empty")
    try:
        value = json.loads(text, parse_float=parse_float, parse_constant=_no_constant)
        return _whole_characters(value) if _MAYBE_SURROGATE.search(text) else value
    except json.JSONDecodeError as e:
        raise Unreadable(f"not JSON at character {e.pos}") from None
    except (ValueError, ArithmeticError):
        raise Unreadable("a number in the answer is out of bounds") from None
    except RecursionError:
        raise Unreadable("the answer is nested too deeply") from None


def _whole_characters(value: Any) -> Any:
    """Lone surrogates (JavaScript cuts characters in half) replaced: nothing can store them as UTF-8."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case list():
            return [_whole_characters(item) for item in value]
        case dict():
            return {_whole_characters(name): _whole_characters(item) for name, item in value.items()}
        case _:
            return value


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("beyond what a float can hold")
    return number


def _no_constant(_: str) -> float:
    raise ValueError("NaN and Infinity are not JSON")
