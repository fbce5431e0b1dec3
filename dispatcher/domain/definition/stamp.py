"""The dispatcher's mark in a definition, by which a posting is told from every other and found again."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from dispatcher.domain.definition.ecmascript import member

_ID: Final = "dispatch_id"
_ATTEMPT: Final = "dispatch_attempt"


class Stamp(NamedTuple):
    """Which posting a definition is for: the dispatcher's job id, and the ordinal of the attempt."""

    dispatch_id: str
    attempt: int


def stamp(definition: Mapping[str, object], *, dispatch_id: str, attempt: int) -> dict[str, object]:
    """A copy of `definition` with `meta.dispatch_id` and `meta.dispatch_attempt` at the end of `meta`.

    The bytes, and so the CID, then differ from every other posting of the same definition. A valid definition
    stays valid (the network takes strings and numbers under any key of `meta`), and its other keys keep their
    order. A `meta` that is missing is added behind the other keys; an earlier stamp is replaced. What is not
    changed is shared with `definition`, not copied. Raises TypeError if `meta` is there and no object: such a
    definition is not valid.
    """
    meta = definition.get("meta", {})
    if not isinstance(meta, Mapping):
        raise TypeError("meta is no object: only a valid definition can be stamped")
    kept = {key: value for key, value in meta.items() if key not in {_ID, _ATTEMPT}}
    return {**definition, "meta": {**kept, _ID: dispatch_id, _ATTEMPT: attempt}}


def read_stamp(definition: object) -> Stamp | None:
    """The stamp of a parsed definition, as the network's job record shows it; None if it has none."""
    meta = member(definition, "meta")
    dispatch_id, attempt = member(meta, _ID), member(meta, _ATTEMPT)
    # The network's JSON has one kind of number: 2 may come back as 2.0.
    if isinstance(attempt, Decimal):
        attempt = float(attempt)
    if isinstance(attempt, float) and attempt.is_integer():
        attempt = int(attempt)
    if isinstance(dispatch_id, str) and isinstance(attempt, int) and not isinstance(attempt, bool):
        return Stamp(dispatch_id, attempt)
    return None
