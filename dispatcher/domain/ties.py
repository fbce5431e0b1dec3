"""What is wrong with a request's ties, to other jobs and to the application, as far as the request alone shows it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from dispatcher.domain.chain import Callback, Take, Upstream
from dispatcher.domain.definition import secret_faults
from dispatcher.domain.definition.places import Place, covers, is_open, parse_place
from dispatcher.domain.faults import Fault

ROOT: Final = "definition"
RESULT: Final = "result"


def tie_faults(
    after: Sequence[Upstream], take: Mapping[str, Take], callback: Callback | None, definition: object
) -> Iterator[Fault]:
    """The faults of what it comes after, in their order, of what it takes, and of the callback."""
    yield from _after_faults(after)
    named = {each.id or each.request_id for each in after}
    places: list[Place] = []
    for text, each in take.items():
        path = f"take[{json.dumps(text)}]"
        if (each.job or each.request_id) not in named:
            yield Fault(
                path, "takes from a job that this one does not come after: name that job in after, too"
            )
        if (wrong := _field_fault(each.field)) is not None:
            yield Fault(f"{path}.field", wrong)
        try:
            place = parse_place(text, ROOT)
        except ValueError as e:
            yield Fault(path, str(e))
            continue
        if not is_open(definition, place):
            yield Fault(
                path, "is not in the definition, and neither is an object that it could be a member of"
            )
        if any(covers(place, other) or covers(other, place) for other in places):
            yield Fault(
                path, "is, or lies in, a place that something else is put into: leave one of them out"
            )
        places.append(place)
    if callback is not None:
        for fault in secret_faults(callback.kwargs):
            message = (
                "looks like a secret, and travels through the broker in clear text: leave it to the receiver"
            )
            yield Fault("callback.kwargs" + fault.path.removeprefix(ROOT), message)


def _after_faults(after: Sequence[Upstream]) -> Iterator[Fault]:
    known: set[str] = set()
    for index, upstream in enumerate(after):
        name = upstream.id or upstream.request_id or ""
        if name in known:
            yield Fault(f"after[{index}]", "names a job that is named before: once is enough")
        known.add(name)


def _field_fault(field: str) -> str | None:
    if not field.startswith(RESULT + ".") and not field.startswith(RESULT + "["):
        return None
    try:
        parse_place(field, RESULT)
    except ValueError as e:
        return str(e)
    return None
