"""What the commands take in: durations, labels, JSON files."""

import json
from datetime import timedelta
from typing import IO, Any

import click

from dispatcher.domain.duration import parse_duration
from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.faults import Fault


class DurationOption(click.ParamType[timedelta]):
    """`30m`, `1h30m`, `PT30M`; never a bare number."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        try:
            return parse_duration(value)
        except ValueError as e:
            self.fail(str(e), param, ctx)


DURATION = DurationOption()


def labels_of(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    labels = {}
    for value in values:
        name, separator, text = value.partition("=")
        if not separator:
            raise click.BadParameter(f"{value!r}: write name=value")
        labels[name] = text
    return labels


def read_json(file: IO[str]) -> Any:
    """The JSON in `file`. Raises `InvalidRequest` for what is no JSON, NaN and duplicate keys included."""
    try:
        return json.load(file, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as e:
        raise InvalidRequest([Fault("definition", f"is not JSON: {e}")]) from e


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON number")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return names
