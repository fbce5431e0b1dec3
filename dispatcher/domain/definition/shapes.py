"""The vocabulary that the tables of the schema are written in.

A `Shape` says which kinds of JSON value may stand in a place, and for each kind the `Part` that looks closer.
The parts mirror how typia, the generator of the network's validator, goes about it, because the paths of the
faults must come out the same: what is looked at, in which order, and what is skipped after a fault.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from dispatcher.domain.definition.ecmascript import MISSING, Kind, accessor, kind_of, member, own_keys
from dispatcher.domain.definition.report import Report, mismatch, unknown_key


class Part(Protocol):
    """Looks at a value whose kind is right already."""

    def check(self, value: object, path: str, report: Report) -> None:
        """Add the faults of `value`, which stands at `path`, to `report`."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What may stand in one place of a definition.

    wanted: in words, for the message. kinds: the part for every kind that may be right. show: whether a wrong
    value may be told; only for places that hold names of the network's own. remedy: the way out.
    """

    wanted: str
    kinds: Mapping[Kind, Part]
    show: bool = False
    remedy: str = ""

    def check(self, value: object, path: str, report: Report) -> None:
        part = self.kinds.get(kind_of(value))
        if part is not None:
            part.check(value, path, report)
        else:
            message = mismatch(
                value, self.wanted, takes=self.kinds.keys(), show=self.show, remedy=self.remedy
            )
            report.add(path, message)


@dataclass(frozen=True, slots=True)
class Anything:
    """Whatever the kind allows."""

    def check(self, value: object, path: str, report: Report) -> None:
        """Nothing can be wrong."""


ANYTHING: Final = Anything()


@dataclass(frozen=True, slots=True)
class Text:
    """A string that passes a test. `wanted` as in `Shape`; the string is told if it is short and harmless."""

    test: Callable[[str], bool]
    wanted: str
    remedy: str = ""

    def check(self, value: object, path: str, report: Report) -> None:
        if not (isinstance(value, str) and self.test(value)):
            report.add(path, mismatch(value, self.wanted, show=True, remedy=self.remedy))


@dataclass(frozen=True, slots=True)
class Items:
    """An array. `rule` looks at it whole and may complain; only if it does not are the elements looked at."""

    each: Shape
    rule: Callable[[Sequence[object]], str | None] | None = None

    def check(self, value: object, path: str, report: Report) -> None:
        if not isinstance(value, (list, tuple)):
            return
        complaint = self.rule(value) if self.rule else None
        if complaint is not None:
            report.add(path, complaint)
            return
        for index, item in enumerate(value):
            self.each.check(item, f"{path}[{index}]", report)


@dataclass(frozen=True, slots=True)
class Members:
    """An object as a map: any keys, values all of one shape."""

    each: Shape

    def check(self, value: object, path: str, report: Report) -> None:
        for key in own_keys(value):
            self.each.check(member(value, key), path + accessor(key), report)


@dataclass(frozen=True, slots=True)
class Field:
    """A key of a record. `suffix` is how it is written behind the record's path."""

    name: str
    shape: Part
    required: bool = True
    suffix: str = ""

    def at(self, path: str) -> str:
        return path + (self.suffix or f".{self.name}")


@dataclass(frozen=True, slots=True)
class Record:
    """An object with known keys. Any other key is a fault, or has the shape `others`.

    remedies: the way out for keys that people are known to try.
    """

    fields: tuple[Field, ...]
    others: Shape | None = None
    remedies: Mapping[str, str] = field(default_factory=dict)
    names: frozenset[str] = field(init=False)
    required: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", frozenset(each.name for each in self.fields))
        object.__setattr__(self, "required", sum(each.required for each in self.fields))

    def check(self, value: object, path: str, report: Report) -> None:
        for each in self.fields:
            content = member(value, each.name)
            if content is not MISSING or each.required:
                each.shape.check(content, each.at(path), report)
        keys = own_keys(value)
        # As many keys as are required: typia takes it that they are those, and looks no further. If they are
        # not, a required one is missing, which is a fault already; the unknown one goes unmentioned.
        if self.others is None and len(keys) == self.required:
            return
        for key in keys:
            if key in self.names:
                continue
            if self.others is not None:
                self.others.check(member(value, key), path + accessor(key), report)
            else:
                report.add(path + accessor(key), unknown_key(key, self.names, self.remedies))


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several records, told apart by a look at the value; the first case that holds decides.

    otherwise: the record if none holds, or the words for what was expected.
    """

    cases: tuple[tuple[Callable[[object], bool], Part], ...]
    otherwise: Part | str
    remedy: str = ""

    def check(self, value: object, path: str, report: Report) -> None:
        for holds, part in self.cases:
            if holds(value):
                part.check(value, path, report)
                return
        if isinstance(self.otherwise, str):
            report.add(path, mismatch(value, self.otherwise, remedy=self.remedy))
        else:
            self.otherwise.check(value, path, report)


def has(name: str) -> Callable[[object], bool]:
    """A test for `Choice`: the key is there, whatever its value."""
    return lambda value: member(value, name) is not MISSING


def says(name: str, word: str) -> Callable[[object], bool]:
    """A test for `Choice`: the key has this value."""
    return lambda value: member(value, name) == word


def optional(name: str, shape: Part) -> Field:
    """A key that may be missing. It may not be null: the network never takes null for missing."""
    return Field(name, shape, required=False)


def one_of(*words: str) -> Shape:
    """Exactly one of `words`."""
    wanted = listed([f'"{word}"' for word in words])
    return Shape(wanted, {Kind.STRING: Text(frozenset(words).__contains__, wanted)}, show=True)


def listed(words: Sequence[str]) -> str:
    """`a, b or c`."""
    return " or ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def array_of(wanted: str, each: Shape, rule: Callable[[Sequence[object]], str | None] | None = None) -> Shape:
    return Shape(wanted, {Kind.ARRAY: Items(each, rule)})


def object_of(wanted: str, part: Part) -> Shape:
    """An object and no array."""
    return Shape(wanted, {Kind.OBJECT: part})


def loosely_object_of(wanted: str, part: Part) -> Shape:
    """What `typeof` calls an object: an array gets in too, and is then found to lack the keys."""
    return Shape(wanted, {Kind.OBJECT: part, Kind.ARRAY: part})


STRING: Final = Shape("a string", {Kind.STRING: ANYTHING})
NUMBER: Final = Shape("a number", {Kind.NUMBER: ANYTHING})
BOOLEAN: Final = Shape("true or false", {Kind.BOOLEAN: ANYTHING})
STRING_OR_NUMBER: Final = Shape("a string or a number", {Kind.STRING: ANYTHING, Kind.NUMBER: ANYTHING})
STRINGS: Final = array_of("an array of strings", STRING)
STRING_OR_STRINGS: Final = Shape(
    "a string or an array of strings", {Kind.STRING: ANYTHING, Kind.ARRAY: Items(STRING)}
)
STRING_MAP: Final = object_of("an object with string values", Members(STRING))
