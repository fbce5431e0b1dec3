"""What is kept of a host's result document: no secrets, and no more than fits.

The document may have `secrets` (Nosana credits API, result): those of the run, which nobody needs to read later. Logs
are what makes a document large; they lose their beginning, since how a run ended stands at its end.
"""

import json
from typing import Any, Final

_OF_THE_FLOW: Final = ("status", "startTime", "endTime")
_OF_AN_OPERATION: Final = ("operationId", "status", "exitCode", "startTime", "endTime")
_LONGEST_ESCAPE: Final = 12
"""Characters of one character in JSON: `\\ud83d\\ude00`."""

_LEAST: Final = 200
"""Bytes. A shorter rest of a line tells nobody anything."""


def kept(document: dict[str, Any], at_most: int) -> dict[str, Any]:
    """`document` as it is stored: without secrets, of at most `at_most` bytes of compact ASCII JSON (16 KiB or more).

    A log that was shortened says so in its first entry. A document that is too large without its logs is reduced to
    its states and exit codes.
    """
    states = document.get("opStates")
    bare = {name: value for name, value in document.items() if name != "secrets"}
    if isinstance(states, list):
        bare["opStates"] = [_without_secrets(state) for state in states]
    if _size(bare) <= at_most:
        return bare
    shortened = _with_shorter_logs(bare, at_most)
    return shortened if _size(shortened) <= at_most else _outline(bare, at_most)


def _without_secrets(state: object) -> object:
    return (
        {name: each for name, each in state.items() if name != "secrets"}
        if isinstance(state, dict)
        else state
    )


def _with_shorter_logs(document: dict[str, Any], at_most: int) -> dict[str, Any]:
    states = document["opStates"] if isinstance(document.get("opStates"), list) else []
    logs = {
        index: state["logs"]
        for index, state in enumerate(states)
        if isinstance(state, dict) and isinstance(state.get("logs"), list)
    }
    empty = [{**state, "logs": []} if index in logs else state for index, state in enumerate(states)]
    left = at_most - _size({**document, "opStates": empty})
    kept_logs: dict[int, list[Any]] = {}
    # The shortest first: what one does not need of its share is there for those that need more.
    for rank, index in enumerate(sorted(logs, key=lambda index: _size(logs[index]))):
        kept_logs[index] = _last(logs[index], max(left, 0) // (len(logs) - rank))
        left -= _size(kept_logs[index])
    written = [
        {**state, "logs": kept_logs[index]} if index in kept_logs else state
        for index, state in enumerate(states)
    ]
    return {**document, "opStates": written}


def _last(log: list[Any], at_most: int) -> list[Any]:
    """The last entries that fit, with a note in front if there were more."""
    if _size(log) <= at_most:
        return log
    left = at_most - _size([_note(len(log))])
    entries: list[Any] = []
    for entry in reversed(log):
        size = _size(entry) + 1
        if size > left:
            if (rest := _end_of(entry, left)) is not None:
                entries.append(rest)
            break
        left -= size
        entries.append(entry)
    return [_note(len(log) - len(entries)), *reversed(entries)] if left >= 0 else []


def _note(missing: int) -> dict[str, Any]:
    words = f"[dispatcher: {missing} earlier entries of this log, or the beginning of one, are left out: too long]"
    return {"type": "nodeerr", "log": words}


def _end_of(entry: object, at_most: int) -> dict[str, Any] | None:
    """An entry whose text has lost its beginning; None if too little of it would be left."""
    if not isinstance(entry, dict) or not isinstance(text := entry.get("log"), str):
        return None
    room = at_most - _size({**entry, "log": ""}) - 1
    if room < _LEAST:
        return None
    written = json.dumps(text)[1:-1][-room:]
    for start in range(_LONGEST_ESCAPE + 1):  # the cut may have gone through an escape
        try:
            end = json.loads(f'"{written[start:]}"')
        except ValueError:
            continue
        return {**entry, "log": end.encode("utf-16", "surrogatepass").decode("utf-16", "replace")}
    return None


def _outline(document: dict[str, Any], at_most: int) -> dict[str, Any]:
    """Which operations there were and how they ended, as many as fit."""
    outline: dict[str, Any] = {name: _plain(document.get(name)) for name in _OF_THE_FLOW}
    outline["dispatcher"] = "the result document is too large to be kept: this is its outline"
    outline["opStates"] = []
    left = at_most - _size(outline)
    for state in document["opStates"] if isinstance(document.get("opStates"), list) else []:
        short = (
            {name: _plain(state.get(name)) for name in _OF_AN_OPERATION} if isinstance(state, dict) else {}
        )
        left -= _size(short) + 1
        if left < 0:
            break
        outline["opStates"].append(short)
    return outline


def _plain(value: object) -> object:
    """What is neither long nor deep; None otherwise."""
    match value:
        case str():
            return value[:200]
        case bool() | float() | None:
            return value
        case int():
            return value if abs(value) < 2**63 else None
        case _:
            return None


def _size(value: object) -> int:
    return len(json.dumps(value, separators=(",", ":")))
