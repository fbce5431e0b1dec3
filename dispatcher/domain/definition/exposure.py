"""The schema of `expose`: which ports of a container are reachable, and how it is told that it is up."""

import re
from collections.abc import Sequence
from typing import Final

from dispatcher.domain.definition.ecmascript import (
    Kind,
    double,
    identity,
    kind_of,
    member,
    number_text,
    truthy,
)
from dispatcher.domain.definition.report import found
from dispatcher.domain.definition.shapes import (
    ANYTHING,
    BOOLEAN,
    NUMBER,
    STRING,
    STRING_MAP,
    Choice,
    Field,
    Items,
    Record,
    Shape,
    Text,
    array_of,
    has,
    loosely_object_of,
    one_of,
    optional,
    says,
)

# JavaScript's `%%(ops|global).[^%]+%%`, whose dot is one UTF-16 unit and no line end: a character beyond the
# BMP is two units, and so fills both the dot and what has to follow it.
_REFERENCE: Final = re.compile("%%(?:ops|global)(?:[^\n\r\u2028\u2029][^%]+|[\U00010000-\U0010ffff])%%")
_REFERENCE_WANTED: Final = "a reference like %%ops.<id>.results.<name>%% or %%global.variables.<name>%%"
_RANGE: Final = re.compile(r"([0-9]+)-([0-9]+)")


def is_reference(text: str) -> bool:
    """Whether `text` stands for another operation's result or for a global variable."""
    return _REFERENCE.fullmatch(text) is not None


def distinct_ports(exposed: Sequence[object]) -> str | None:
    """The rule about `expose` as an array: no port twice. What refers elsewhere is taken on trust."""
    numbers: dict[object, float] = {}
    ranges: list[tuple[float, float]] = []
    for each in exposed:
        if (isinstance(each, str) and is_reference(each)) or truthy(member(each, "__spread__")):
            continue
        port = member(each, "port") if kind_of(each) in {Kind.OBJECT, Kind.ARRAY} else each
        if isinstance(port, str):
            ends = _RANGE.fullmatch(port)
            if ends is None:
                return (
                    f"expected port numbers, found {found(port, show=True)}: write a number, without quotes"
                )
            low, high = float(ends[1]), float(ends[2])
            if any(low <= other_high and high >= other_low for other_low, other_high in ranges):
                return "a range overlaps another: list every port by its number, once"
            ranges.append((low, high))
        elif isinstance(port, (int, float)) and not isinstance(port, bool):
            if identity(port) in numbers:
                return f"port {number_text(port)} is listed twice: list every port once"
            numbers[identity(port)] = double(port)
    if any(low <= number <= high for number in numbers.values() for low, high in ranges):
        return "a range overlaps a port: list every port by its number, once"
    return None


SPREAD: Final = Record(
    (
        Field("__spread__", Shape(_REFERENCE_WANTED, {Kind.STRING: Text(is_reference, _REFERENCE_WANTED)})),
        optional("chunked", BOOLEAN),
    )
)
"""Stands in an array for the elements of what it refers to."""

_HTTP_CHECK: Final = Record(
    (
        Field("type", one_of("http")),
        Field("path", STRING),
        Field("method", one_of("GET", "POST", "PUT", "DELETE")),
        Field("expected_status", NUMBER),
        optional("headers", STRING_MAP),
        optional("body", ANYTHING),
        Field("continuous", BOOLEAN),
    )
)
_WEBSOCKET_CHECK: Final = Record(
    (
        Field("type", one_of("websocket")),
        Field("expected_response", STRING),
        Field("continuous", BOOLEAN),
    )
)
_HEALTH_CHECK_WANTED: Final = 'a health check, an object with `type` "http" or "websocket"'
_HEALTH_CHECK: Final = loosely_object_of(
    _HEALTH_CHECK_WANTED,
    Choice(
        ((says("type", "http"), _HTTP_CHECK), (says("type", "websocket"), _WEBSOCKET_CHECK)),
        otherwise=_HEALTH_CHECK_WANTED,
        remedy="give it one of these types",
    ),
)

_PORT: Final = Record(
    (
        Field("port", NUMBER),
        optional("type", one_of("api", "none", "web", "webapi", "websocket")),
        optional("health_checks", array_of("an array of health checks", _HEALTH_CHECK)),
    )
)
_PORT_WANTED: Final = "a port number, a reference or an object with `port`"
_PORT_OBJECT: Final = Choice(
    ((has("__spread__"), SPREAD), (has("port"), _PORT)),
    otherwise="an object with `port` or `__spread__`",
    remedy="add the port's number as `port`",
)
_PORT_TEXT: Final = Text(is_reference, _PORT_WANTED, remedy="write a number, without quotes")
_EXPOSED: Final = Shape(
    _PORT_WANTED,
    {Kind.NUMBER: ANYTHING, Kind.STRING: _PORT_TEXT, Kind.OBJECT: _PORT_OBJECT, Kind.ARRAY: _PORT_OBJECT},
    show=True,
)

EXPOSE: Final = Shape(
    _PORT_WANTED + ", or an array of those",
    {
        Kind.NUMBER: ANYTHING,
        Kind.STRING: _PORT_TEXT,
        Kind.OBJECT: _PORT_OBJECT,
        Kind.ARRAY: Items(_EXPOSED, distinct_ports),
    },
    show=True,
)
