"""The schema of a whole job definition, version 0.1: top level, meta, global, logistics, operations.

Each table's order is the order in which the network's validator (`validateJobDefinition` of `@nosana/kit`
2.1.8) looks at the keys. Facts: docs/nosana.md, job definitions.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from dispatcher.domain.definition.container import ARGS
from dispatcher.domain.definition.ecmascript import Kind, identity, member
from dispatcher.domain.definition.report import found
from dispatcher.domain.definition.shapes import (
    ANYTHING,
    BOOLEAN,
    STRING,
    STRING_MAP,
    STRING_OR_NUMBER,
    STRING_OR_STRINGS,
    STRINGS,
    Choice,
    Field,
    Items,
    Members,
    Part,
    Record,
    Shape,
    Text,
    array_of,
    loosely_object_of,
    object_of,
    one_of,
    optional,
)

# --- meta -------------------------------------------------------------------------------------------------

_SCALARS: Final[Mapping[Kind, Part]] = {
    Kind.STRING: ANYTHING,
    Kind.NUMBER: ANYTHING,
    Kind.ARRAY: Items(STRING_OR_NUMBER),
}
_INNER_META: Final = Shape("a string, a number or an array of those (meta goes no deeper)", _SCALARS)
_META: Final = Record(
    (
        optional("trigger", STRING),
        optional(
            "system_resources", object_of("an object with strings or numbers", Members(STRING_OR_NUMBER))
        ),
    ),
    others=Shape(
        "a string, a number, an array of those or an object with those",
        {**_SCALARS, Kind.OBJECT: Members(_INNER_META)},
    ),
)

# --- global, logistics ------------------------------------------------------------------------------------

_GLOBAL: Final = Record(
    (
        optional("image", STRING),
        optional("gpu", BOOLEAN),
        optional("entrypoint", STRING_OR_STRINGS),
        optional("env", STRING_MAP),
        optional("work_dir", STRING),
        optional("variables", STRING_MAP),
    )
)
_ROUTE: Final = loosely_object_of(
    "an object with `type` and `args`",
    Record(
        (
            Field("type", one_of("api", "api-listen")),
            Field(
                "args",
                object_of("an object, perhaps with `endpoint`", Record((optional("endpoint", STRING),))),
            ),
        )
    ),
)

# --- operations -------------------------------------------------------------------------------------------

_STREAMS: Final = ("stdin", "stdout", "stderr", "nodeerr")


def distinct_ids(operations: Sequence[object]) -> str | None:
    """The rule about `ops`: every operation has a string `id` of its own."""
    seen: set[str] = set()
    for index, operation in enumerate(operations):
        name = member(operation, "id")
        if not isinstance(name, str):
            return f"expected a string `id` in every operation, operation {index} has none: give it one"
        if name in seen:
            return (
                f"expected distinct ids, found {found(name, show=True)} twice: rename one of the operations"
            )
        seen.add(name)
    return None


def distinct_streams(streams: Sequence[object]) -> str | None:
    """The rule about `logType`: one to four, none twice."""
    if not 1 <= len(streams) <= len(_STREAMS):
        return f"expected 1 to {len(_STREAMS)} streams, found {len(streams)}: list those to look at"
    if len({identity(stream) for stream in streams}) < len(streams):
        return "expected distinct streams, found one twice: list every stream once"
    return None


def _depends(value: object) -> bool:
    on = member(value, "depends_on")
    return isinstance(on, (list, tuple)) and all(isinstance(each, str) for each in on)


_RESULT: Final = Record(
    (
        Field("regex", STRING),
        Field("logType", array_of("an array of streams", one_of(*_STREAMS), distinct_streams)),
    )
)
_RESULTS: Final = Members(
    Shape(
        "a regular expression (a string), or an object with `regex` and `logType`",
        {Kind.STRING: ANYTHING, Kind.OBJECT: _RESULT, Kind.ARRAY: _RESULT},
    )
)
_EXECUTION: Final = Choice(
    (
        (
            _depends,
            Record(
                (
                    optional("group", STRING),
                    Field("depends_on", STRINGS),
                    optional("stop_if_dependent_stops", BOOLEAN),
                )
            ),
        ),
    ),
    otherwise=Record(
        (
            optional("group", STRING),
            optional("depends_on", Shape("an array of strings", {}, remedy="list the ids of operations")),
            optional(
                "stop_if_dependent_stops",
                Shape(
                    "`depends_on` beside it",
                    {},
                    remedy="add `depends_on` with ids of operations, or remove it",
                ),
            ),
        )
    ),
)

_ID_WANTED: Final = "a string without blanks"
_ID: Final = Shape(
    _ID_WANTED, {Kind.STRING: Text(lambda name: " " not in name, _ID_WANTED, remedy="take the blanks out")}
)
_OPERATION: Final = loosely_object_of(
    "an operation, an object with `type`, `id` and `args`",
    Record(
        (
            Field("type", one_of("container/run", "container/create-volume")),
            Field("id", _ID),
            Field("args", ARGS),
            optional("results", object_of("an object with results", _RESULTS)),
            optional("execution", object_of("an object with `group` or `depends_on`", _EXECUTION)),
        )
    ),
)

# --- the whole --------------------------------------------------------------------------------------------

DEFINITION: Final = loosely_object_of(
    "a job definition, an object with `version`, `type` and `ops`",
    Record(
        (
            Field("type", one_of("container")),
            Field("version", one_of("0.1")),
            optional(
                "logistics",
                loosely_object_of(
                    "an object with `send` and `receive`",
                    Record((Field("send", _ROUTE), Field("receive", _ROUTE))),
                ),
            ),
            optional("deployment_id", STRING),
            optional("meta", object_of("an object", _META)),
            optional("global", object_of("an object", _GLOBAL)),
            Field("ops", array_of("an array of operations", _OPERATION, distinct_ids)),
        )
    ),
)
