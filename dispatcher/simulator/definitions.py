"""A pinned job definition as a host sees it: the light check that it makes, and what it would run.

The check looks at the structure alone (version, type, ops, ids, images). It refuses nothing that the
network's validator accepts, but accepts more than that one does.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dispatcher.simulator.behaviour import Behaviour, behaviour_of

_OP_TYPES = ("container/run", "container/create-volume")


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a definition."""

    id: str
    type: str
    group: str
    image: str
    results: dict[str, Any]

    @property
    def runs(self) -> bool:
        """Whether it runs a container (the other kind makes a volume)."""
        return self.type == "container/run"


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition that a host read. `faults` are (path, expected); with any of them the host refuses the
    job."""

    document: Any
    behaviour: Behaviour = field(default_factory=Behaviour)
    faults: tuple[tuple[str, str], ...] = ()
    operations: tuple[Operation, ...] = ()
    trigger: str | None = None
    dispatch_id: str | None = None
    dispatch_attempt: str | None = None


def read_definition(document: Any) -> Definition:
    """Checks and reads a parsed document; never raises."""
    if not isinstance(document, dict):
        return Definition(document, faults=(("$input", "JobDefinition"),))
    faults = list(_top_faults(document))
    meta = document.get("meta", {})
    behaviour = Behaviour()
    if isinstance(meta, dict):
        behaviour, unknown = behaviour_of(meta)
        faults += [(f"$input.meta.{path}", expected) for path, expected in unknown]
    else:
        faults.append(("$input.meta", "a map"))
        meta = {}
    return Definition(
        document,
        behaviour,
        tuple(faults),
        () if faults else tuple(_operation(op, document) for op in document["ops"]),
        _string_or_none(meta.get("trigger")),
        _string_or_none(meta.get("dispatch_id")),
        None if meta.get("dispatch_attempt") is None else str(meta["dispatch_attempt"]),
    )


def _top_faults(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if document.get("version") != "0.1":
        yield "$input.version", '"0.1"'
    if document.get("type") != "container":
        yield "$input.type", '"container"'
    ops = document.get("ops")
    if not isinstance(ops, list):
        yield "$input.ops", "Array<Operation>"
        return
    seen: set[str] = set()
    for index, op in enumerate(ops):
        yield from _op_faults(f"$input.ops[{index}]", op, seen, document)


def _op_faults(path: str, op: Any, seen: set[str], document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if not isinstance(op, dict):
        yield path, "Operation"
        return
    if op.get("type") not in _OP_TYPES:
        yield f"{path}.type", " | ".join(f'"{name}"' for name in _OP_TYPES)
    op_id = op.get("id")
    if not isinstance(op_id, str):
        yield f"{path}.id", "string"
    elif op_id in seen:
        yield f"{path}.id", "a unique id"
    else:
        seen.add(op_id)
    args = op.get("args")
    if not isinstance(args, dict):
        yield f"{path}.args", "a map"
    # The validator does not match the arguments with the kind of operation: volume arguments pass in a run.
    elif (
        not isinstance(args.get("image"), str)
        and not isinstance(args.get("name"), str)
        and not _image(document)
    ):
        yield f"{path}.args.image", "string"


def _image(document: dict[str, Any]) -> str:
    shared = document.get("global")
    image = shared.get("image") if isinstance(shared, dict) else None
    return image if isinstance(image, str) else ""


def _operation(op: dict[str, Any], document: dict[str, Any]) -> Operation:
    execution = op.get("execution")
    group = execution.get("group") if isinstance(execution, dict) else None
    image = op["args"].get("image")
    results = op.get("results")
    return Operation(
        id=op["id"],
        type=op["type"],
        group=group if isinstance(group, str) else op["id"],
        image=image if isinstance(image, str) else _image(document),
        results=results if isinstance(results, dict) else {},
    )


def _string_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None
