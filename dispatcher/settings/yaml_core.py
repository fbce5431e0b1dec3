"""YAML by the core schema of version 1.2, on top of PyYAML's parser.

Only null, true, false and numbers are not text: no dates, no `yes` and `no`, no numbers by sixties, no merge keys. Only
text may be a name. Names that stand twice, tags beyond the core, aliases that stand in themselves, and aliases that
make much out of little are refused.
Source: YAML 1.2.2, section 10.3.
"""

import math
import re
from typing import Any, Final

import yaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.resolver import Resolver
from yaml.scanner import Scanner

_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_QUOTED = re.compile(r"'(?!<)[^']{2,}'|\"[^\"]{2,}\"|'[^']*$|\"[^\"]*$")
_CORE: Final = "tag:yaml.org,2002:"
_PLAIN: Final = "plain"
"""Instead of a tag, for what stands without one and without quotes."""

_FEW_TIMES: Final = 4
"""Aliases may make a document so many times as large as a file may be."""


class Unfit(ValueError):
    """The text is no such document: why, without a word of the text, and where (characters from the start)."""

    def __init__(self, problem: str, at: int | None) -> None:
        super().__init__(problem)
        self.at = at


class _Nodes(Reader, Scanner, Parser, Composer, Resolver):
    """The library's parser, as far as its nodes: what could construct anything is no part of it. What plain text means
    is decided here, not by its tables."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        Resolver.__init__(self)

    def resolve(self, kind: type[Any], value: Any, implicit: Any) -> Any:  # noqa: ARG002 - the library's own signature
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else _CORE + "str"
        return _CORE + ("seq" if kind is yaml.SequenceNode else "map")


def load(text: str, largest: int) -> Any:
    """The one document in `text`. Raises `Unfit`, and `RecursionError` for one that is nested too deeply."""
    node = _composed(text)
    if node is None:
        return None
    _Sizes(_FEW_TIMES * largest).of(node)
    return _value(node)


def _composed(text: str) -> yaml.Node | None:
    problem, at = "", None
    try:
        nodes = _Nodes(text)
        try:
            node: yaml.Node | None = nodes.get_single_node()
        finally:
            nodes.dispose()
    except yaml.MarkedYAMLError as e:
        problem, at = _QUOTED.sub("…", e.problem or "it cannot be read"), _at(e.problem_mark)
    except ReaderError as e:
        problem, at = "a character may not stand there", e.position
    except ValueError:
        problem = "an escape does not stand for a character"
    else:
        return node
    # Outside of the handlers: their errors quote the text.
    raise Unfit(f"it is not YAML: {problem}", at)


def _at(mark: Any) -> int | None:
    return None if mark is None else mark.index


class _Sizes:
    """How much a node comes to with all its aliases taken in, in characters and nodes; `most` at most."""

    def __init__(self, most: int) -> None:
        self._most, self._known, self._open = most, dict[int, int](), set[int]()

    def of(self, node: yaml.Node) -> int:
        if (known := self._known.get(id(node))) is not None:
            return known
        if id(node) in self._open:
            raise Unfit("an alias stands in itself", _at(node.start_mark))
        self._open.add(id(node))
        size = 1 + (len(node.value) if isinstance(node, yaml.ScalarNode) else 0)
        for child in _children(node):
            size += self.of(child)
            if size > self._most:
                raise Unfit("its aliases make it far too large", _at(node.start_mark))
        self._open.discard(id(node))
        self._known[id(node)] = size
        return size


def _children(node: yaml.Node) -> list[yaml.Node]:
    match node:
        case yaml.SequenceNode():
            return list(node.value)
        case yaml.MappingNode():
            return [part for pair in node.value for part in pair]
        case _:
            return []


def _value(node: yaml.Node) -> Any:
    match node:
        case yaml.ScalarNode():
            return _scalar(node)
        case yaml.SequenceNode():
            _expect(node, "seq")
            return [_value(item) for item in node.value]
        case yaml.MappingNode():
            _expect(node, "map")
            return _mapping(node)
        case _:
            raise Unfit("it is not YAML", _at(node.start_mark))


def _mapping(node: yaml.MappingNode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, item in node.value:
        key = _scalar(name) if isinstance(name, yaml.ScalarNode) else None
        if not isinstance(key, str):
            raise Unfit("a name must be text: write it in quotes", _at(name.start_mark))
        if key in found:
            raise Unfit("a name stands twice in one object", _at(name.start_mark))
        found[key] = _value(item)
    return found


def _expect(node: yaml.Node, *kinds: str) -> None:
    if node.tag not in [_CORE + kind for kind in kinds]:
        raise Unfit("its tag is not one of YAML's core", _at(node.start_mark))


def _scalar(node: yaml.ScalarNode) -> Any:
    """The value of plain text by its form, of other text by its tag."""
    text: str = node.value
    if node.tag == _PLAIN:
        return _by_form(text, node)
    _expect(node, "str", "null", "bool", "int", "float")
    kind = node.tag.removeprefix(_CORE)
    if kind == "str":
        return text
    value = _by_form(text, node)
    fits = {
        "null": value is None,
        "bool": isinstance(value, bool),
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, int | float) and not isinstance(value, bool),
    }
    if not fits[kind]:
        raise Unfit("it is not what its tag says", _at(node.start_mark))
    return float(value) if kind == "float" else value


def _by_form(text: str, node: yaml.ScalarNode) -> Any:
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return _whole(text, node)
    if _NO_NUMBER.fullmatch(text):
        raise Unfit("nan and infinities are no numbers here", _at(node.start_mark))
    if _FLOAT.fullmatch(text):
        number = float(text)
        if math.isinf(number):
            raise Unfit("a number is too large", _at(node.start_mark))
        return number
    return text


def _whole(text: str, node: yaml.ScalarNode) -> int:
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    try:
        return int(text, base)
    except ValueError:
        problem = "it holds a number with too many digits"
    raise Unfit(problem, _at(node.start_mark))
