"""Places in a JSON document, by the paths that faults are told with: `definition.ops[0].args.env.INPUT`."""

import json
import re
from typing import Any, Final

from dispatcher.domain.definition.ecmascript import MISSING, accessor

Place = tuple[str | int, ...]
"""The steps from the document's root: names of members, and positions in arrays."""

_STEP: Final = re.compile(
    r"\.([A-Za-z_$][A-Za-z0-9_$]*)" r"|\[(0|[1-9][0-9]{0,8})\]" r'|\[("(?:[^"\\]|\\.)*")\]'
)


def parse_place(text: str, root: str) -> Place:
    """The steps of a path that begins with `root`; a name that is no identifier stands in brackets and quotes.

    Raises `ValueError`, with the way out, for anything else and for the root alone.
    """
    wrong = f'is no place: write it like {root}.a[0].b, and other names like {root}["a-b"]'
    steps: list[str | int] = []
    at = len(root) if text.startswith(root) else -1
    while 0 <= at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            break
        name, position, quoted = found.groups()
        try:
            named = name if name is not None else json.loads(quoted or "null", strict=False)
        except ValueError:
            raise ValueError(wrong) from None
        steps.append(int(position) if position is not None else named)
        at = found.end()
    if at != len(text) or not steps:
        raise ValueError(wrong)
    return tuple(steps)


def place_text(place: Place, root: str) -> str:
    """The path as faults have it, whichever way it was written."""
    return root + "".join(f"[{step}]" if isinstance(step, int) else accessor(step) for step in place)


def value_at(document: object, place: Place) -> object:
    """What stands there; `MISSING` if nothing does."""
    for step in place:
        match document:
            case dict() if isinstance(step, str) and step in document:
                document = document[step]
            case list() | tuple() if isinstance(step, int) and step < len(document):
                document = document[step]
            case _:
                return MISSING
    return document


def is_open(document: object, place: Place) -> bool:
    """Whether a value can be put there: something stands there, or it would be another member of an object."""
    if value_at(document, place) is not MISSING:
        return True
    return isinstance(place[-1], str) and isinstance(value_at(document, place[:-1]), dict)


def put(document: dict[str, Any], place: Place, value: object) -> dict[str, Any]:
    """A copy of `document` with `value` there; what is not on the way is shared. The place must be open."""
    name, rest = place[0], place[1:]
    return {**document, str(name): _put(document.get(str(name)), rest, value)}


def _put(document: object, place: Place, value: object) -> object:
    if not place:
        return value
    step, rest = place[0], place[1:]
    if isinstance(document, dict) and isinstance(step, str):
        return {**document, step: _put(document.get(step), rest, value)}
    if isinstance(document, list | tuple) and isinstance(step, int):
        return [_put(item, rest, value) if at == step else item for at, item in enumerate(document)]
    raise TypeError("the place is not open: nothing can be put there")


def covers(outer: Place, inner: Place) -> bool:
    """Whether `inner` is `outer`, or lies in it."""
    return inner[: len(outer)] == outer
