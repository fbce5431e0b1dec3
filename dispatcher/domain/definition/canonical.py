"""The bytes of a definition: what is pinned, and so what its CID is computed from."""

from collections.abc import Mapping, Sequence
from typing import Final

from dispatcher.domain.definition.ecmascript import number_text, own_keys, string_text


class _Text(str):
    """Output that waits on the stack between values; told from a JSON string by its type."""

    __slots__ = ()


_COMMA: Final = _Text(",")


def canonical_json(document: object) -> bytes:
    """What JavaScript's `JSON.stringify` gives for the parsed document, in UTF-8.

    The published clients pin exactly this (docs/nosana.md, CID). Keys keep their order but for integer-like
    ones, which come first; numbers are doubles; what is not finite becomes null; lone surrogates are escaped.
    Raises TypeError for a value or a key that JSON does not have.
    """
    written: list[str] = []
    # A stack of its own instead of recursion, so that no depth of nesting exceeds the interpreter's limit.
    stack: list[object] = [document]
    while stack:
        match stack.pop():
            case _Text() as text:
                written.append(text)
            case str() as text:
                written.append(string_text(text))
            case None:
                written.append("null")
            case bool() as flag:
                written.append("true" if flag else "false")
            case int() | float() as number:
                written.append(number_text(number))
            case Mapping() as members:
                stack.extend(reversed(_object_parts(members)))
            case list() | tuple() as items:
                stack.extend(reversed(_array_parts(items)))
            case foreign:
                raise TypeError(f"JSON has no {type(foreign).__name__}: a definition holds JSON values only")
    return "".join(written).encode("utf-8")


def _object_parts(members: Mapping[str, object]) -> list[object]:
    for key in members:
        if not isinstance(key, str):
            raise TypeError(f"a key is of type {type(key).__name__}: JSON has string keys only")
    parts: list[object] = []
    for key in own_keys(members):
        parts += (_COMMA, _Text(string_text(key) + ":"), members[key])
    return [_Text("{"), *parts[1:], _Text("}")]


def _array_parts(items: Sequence[object]) -> list[object]:
    parts: list[object] = []
    for item in items:
        parts += (_COMMA, item)
    return [_Text("["), *parts[1:], _Text("]")]
