"""Where faults are gathered, and the words they are told in."""

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Final

from dispatcher.domain.definition.ecmascript import MISSING, Kind, kind_of, number_text, string_text
from dispatcher.domain.faults import Fault

_SHOWN_AT_MOST: Final = 32
_LOOKS_SECRET: Final = re.compile(r"[A-Za-z0-9_+=]{16,}|(?:nos_|hf_|sk-|gh[a-z]_|eyJ|AKIA)")
_NAMES: Final[Mapping[Kind, str]] = {
    Kind.MISSING: "nothing",
    Kind.NULL: "null",
    Kind.BOOLEAN: "a boolean",
    Kind.NUMBER: "a number",
    Kind.STRING: "a string",
    Kind.ARRAY: "an array",
    Kind.OBJECT: "an object",
}


class Report:
    """The faults of one definition, in the order in which the network's validator finds them.

    That validator drops a fault with whose path the last kept one begins, character by character: the array
    after its element, but also `.a` after `.ab`. The same is done here, so that the paths are the same.
    """

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def add(self, path: str, message: str) -> None:
        if not (self.faults and self.faults[-1].path.startswith(path)):
            self.faults.append(Fault(path, message))


def mismatch(
    value: object, wanted: str, *, takes: Collection[Kind] = (), show: bool = False, remedy: str = ""
) -> str:
    """What was expected, what is there, and the way out.

    wanted: what belongs here, in words. takes: the kinds of value that could be right. show: whether the
    value itself may be told, if it is short and does not look like a secret; otherwise only its kind.
    remedy: the way out, if there is a better one than the kinds suggest.
    """
    way_out = "add it" if value is MISSING and not remedy else remedy or _way_out(kind_of(value), takes)
    return f"expected {wanted}, found {found(value, show=show)}: {way_out}"


def unknown_key(name: str, known: Collection[str], remedies: Mapping[str, str]) -> str:
    """That the network refuses a key it does not know, and what may have been meant."""
    if name in remedies:
        return f"expected no such key: {remedies[name]}"
    close = get_close_matches(name, known, n=1)
    meant = f"remove it or write `{close[0]}`" if close else "remove it"
    return f"expected no such key, the network refuses what it does not know: {meant}"


def found(value: object, *, show: bool) -> str:
    """A value in a few words: its kind, or if it may be shown and is short and harmless, the value."""
    kind = kind_of(value)
    if show:
        match value:
            case bool():
                return "true" if value else "false"
            case int() | float():
                return number_text(value)
            case str() if len(value) > _SHOWN_AT_MOST or _LOOKS_SECRET.search(value):
                return f"a string of {len(value)} characters"
            case str():
                return string_text(value)
            case _:
                pass
    return _NAMES[kind]


def _way_out(kind: Kind, takes: Collection[Kind]) -> str:
    if kind is Kind.NULL:
        return "null is never taken: give a value, or leave it out"
    if Kind.STRING in takes and kind in {Kind.NUMBER, Kind.BOOLEAN}:
        return "write it in quotes"
    if kind is Kind.STRING and Kind.NUMBER in takes:
        return "write a number, without quotes"
    if kind is Kind.STRING and Kind.BOOLEAN in takes:
        return "write true or false, without quotes"
    if kind is not Kind.ARRAY and set(takes) == {Kind.ARRAY}:
        return "put it into an array"
    return "change it"
