"""`docs/lifecycle.md`: the picture of a job's life and its tables, drawn from `transitions.TRANSITIONS`."""

from collections.abc import Iterable, Iterator
from typing import Final, get_args

from dispatcher.domain import events as ev
from dispatcher.domain.transitions import TRANSITIONS
from dispatcher.domain.words import FINAL_STATES, State

_OVER: Final = "over"
_WIDE: Final = 3
"""So many events on an edge stand on one line."""

_HEAD: Final = """\
# The life of a job

Drawn from the table in `dispatcher/domain/transitions.py` by `make docs`; a test fails where it says anything else.
What an event makes of the other fields of a record stands in `dispatcher/domain/effects/`. An arrow bears the events
that lead from one state to another; those that leave a job in its state are in the table below.
"""


def page() -> str:
    """The whole file."""
    parts = [_HEAD, "```mermaid", *_diagram(), "```", "", "## What leads from one state to another", ""]
    parts += _table(("from", "to", "events"), _ways())
    parts += ["", "## What leaves a job in its state", ""]
    parts += _table(("event", "what happened", "in the states"), _stays())
    parts += [
        "",
        "A job that is " + ", ".join(_names(FINAL_STATES)) + " stays as it is: nothing can happen to it.",
    ]
    return "\n".join(parts) + "\n"


def edges() -> dict[tuple[str, str], list[str]]:
    """From each state to each other one: the kinds of events that lead there. All ends together are `over`."""
    found: dict[tuple[str, str], list[str]] = {}
    for source, kinds in TRANSITIONS.items():
        for kind, targets in kinds.items():
            others = targets - {source} - FINAL_STATES
            ends = targets & FINAL_STATES
            for target in sorted(others, key=_place):
                found.setdefault((source.value, target.value), []).append(kind)
            if ends:
                some = "" if ends == FINAL_STATES else f" ({', '.join(_names(ends))})"
                found.setdefault((source.value, _OVER), []).append(kind + some)
    return found


def stays() -> dict[str, list[str]]:
    """For each kind of event that may leave a job where it is: the states in which it may."""
    found: dict[str, list[str]] = {}
    for source, kinds in TRANSITIONS.items():
        for kind, targets in kinds.items():
            if source in targets:
                found.setdefault(kind, []).append(source.value)
    return found


def _diagram() -> Iterator[str]:
    yield "stateDiagram-v2"
    yield f"    [*] --> {State.ENQUEUED.value}"
    for (source, target), kinds in edges().items():
        yield f"    {source} --> {target}: {_label(kinds)}"
    yield f"    state {_OVER} {{"
    yield from (f"        {name}" for name in _names(FINAL_STATES))
    yield "    }"


def _label(kinds: list[str]) -> str:
    lines = [kinds[start : start + _WIDE] for start in range(0, len(kinds), _WIDE)]
    return "<br/>".join(", ".join(line) for line in lines)


def _ways() -> Iterator[tuple[str, ...]]:
    yield "", State.ENQUEUED.value, "`enqueued`"
    for (source, target), kinds in edges().items():
        yield source, target, ", ".join(_code(kind) for kind in kinds)


def _stays() -> Iterator[tuple[str, ...]]:
    said = {kind.model_fields["kind"].default: _sentence(kind.__doc__) for kind in get_args(ev.Event)}
    for kind, states in stays().items():
        yield f"`{kind}`", said[kind], ", ".join(states)


def _sentence(documented: str | None) -> str:
    """The first sentence of a docstring."""
    text = " ".join((documented or "").partition("\n\n")[0].split())
    return text.partition(". ")[0].rstrip(".")


def _code(kind: str) -> str:
    name, _, rest = kind.partition(" ")
    return f"`{name}` {rest}".rstrip()


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    for number, row in enumerate([headings, *rows]):
        yield "| " + " | ".join(row) + " |"
        if number == 0:
            yield "|" + "---|" * len(list(headings))


def _place(state: State) -> int:
    return list(State).index(state)


def _names(states: Iterable[State]) -> list[str]:
    return [state.value for state in sorted(states, key=_place)]
