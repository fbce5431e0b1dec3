"""The network's verdict on a definition, reached here before anything is pinned or paid for."""

from collections.abc import Mapping
from typing import Final

from dispatcher.domain.definition.ecmascript import Kind, accessor, kind_of
from dispatcher.domain.definition.report import Report
from dispatcher.domain.definition.schema import DEFINITION
from dispatcher.domain.faults import Fault

ROOT: Final = "$input"
NESTED_AT_MOST: Final = 500

_LOOK_INTO: Final = frozenset({Kind.OBJECT, Kind.ARRAY, Kind.FOREIGN})


def validate_definition(value: object) -> tuple[Fault, ...]:
    """The faults of a parsed job definition; empty if it is valid.

    Verdicts and paths (`$input.ops[0].args.image`, in this order) are those of `validateJobDefinition` of
    `@nosana/kit` 2.1.8; the messages are ours and hold no value that could be a secret. Three things more are
    faults here: a null in the array `expose`, on which that validator crashes; what no JSON can hold; nesting
    deeper than 500 levels.

    The network itself checks nothing before it takes the money: a definition that is not valid is refused by
    the host, after it was paid for (docs/nosana.md, results).
    """
    foreign = _not_json(value)
    if foreign:
        return foreign
    report = Report()
    DEFINITION.check(value, ROOT, report)
    return tuple(report.faults)


def _not_json(document: object) -> tuple[Fault, ...]:
    """What YAML or a Python caller can bring and JSON cannot: dates, sets, bytes, keys other than strings."""
    faults: list[Fault] = []
    places: list[tuple[str, object, int]] = [(ROOT, document, 1)]
    while places:
        path, value, depth = places.pop()
        if depth > NESTED_AT_MOST:
            return (
                Fault(ROOT, f"expected at most {NESTED_AT_MOST} levels of nesting, found more: flatten it"),
            )
        if kind_of(value) is Kind.FOREIGN:
            message = (
                f"expected JSON, found a value of type {type(value).__name__}: write it as a string or number"
            )
            faults.append(Fault(path, message))
        if isinstance(value, Mapping):
            faults += [Fault(path, _wrong_key(key)) for key in value if not isinstance(key, str)]
        places += [(inner_path, inner, depth + 1) for inner_path, inner in reversed(_inner(path, value))]
    return tuple(faults)


def _wrong_key(key: object) -> str:
    return f"expected keys that are strings, found one of type {type(key).__name__}: write it in quotes"


def _inner(path: str, value: object) -> list[tuple[str, object]]:
    """The elements of `value` that need a look: scalars of JSON are left out."""
    match value:
        case Mapping():
            return [
                (path + (accessor(key) if isinstance(key, str) else f"[{key!r}]"), each)
                for key, each in value.items()
                if kind_of(each) in _LOOK_INTO
            ]
        case list() | tuple():
            return [
                (f"{path}[{index}]", each) for index, each in enumerate(value) if kind_of(each) in _LOOK_INTO
            ]
        case _:
            return []
