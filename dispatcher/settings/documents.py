"""Files that people write: YAML, TOML or JSON, read into what JSON can hold, or refused with line and column.

Text stays what it was written as: YAML is read by the core schema of YAML 1.2, so that `on`, `no`, dates and `1:30`
are text, and TOML's dates and times are given as the text that they were. No message shows what stands in a file:
it may be a secret.
"""

import json
import math
import re
import tomllib
from datetime import date, time
from pathlib import Path, PurePath
from typing import IO, Any, Final

from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.faults import Fault
from dispatcher.settings import yaml_core

LARGEST: Final = 1_048_576
"""Bytes of a file."""

_STDIN: Final = ("-", "<stdin>")
_AT = re.compile(r" ?\(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_TWICE = "a name stands twice in one object"
_TOO_DEEP = "it is nested too deeply"
_TOO_LONG = "it holds a number with too many digits"


def read_document(path: Path) -> Any:
    """What the file holds: YAML (`.yaml`, `.yml`), TOML (`.toml`), or else JSON.

    Raises `InvalidRequest` with one fault, whose path is the file's name, for a file that cannot be read, is larger
    than 1 MiB, is not UTF-8, or does not hold one well-formed document without names that stand twice.
    """
    try:
        with path.open("rb") as file:
            return read_stream(file, path.name)
    except OSError as e:
        raise _refused(path.name, f"cannot be read: {e.strerror or 'unknown error'}") from e


def read_stream(file: IO[bytes], name: str) -> Any:
    """As `read_document`, from an open file. `name` says what is in it, as for `parse_document`."""
    raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise _refused(_shown(name), "is larger than 1 MiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = raw.count(b"\n", 0, e.start) + 1
        problem = f"is not UTF-8 text (line {line})"
    else:
        return parse_document(text, name)
    # Outside of the handler: the error above holds the whole text.
    raise _refused(_shown(name), problem)


def parse_document(text: str, name: str) -> Any:
    """What `text` holds, in the format that the file's `name` says; standard input (`-`) is JSON or YAML.

    Raises `InvalidRequest` as `read_document` does.
    """
    if len(text) > LARGEST:
        raise _refused(_shown(name), "is larger than 1 MiB")
    match PurePath(name).suffix.lower():
        case ".yaml" | ".yml":
            return _yaml(text, name)
        case ".toml":
            return _toml(text, name)
        case _ if name in _STDIN and not text.lstrip().startswith(("{", "[")):
            return _yaml(text, name)  # of which JSON's other values are a part
        case _:
            return _json(text, name)


def _json(text: str, name: str) -> Any:
    problem, at = "", None
    try:
        value = json.loads(text)
    except json.JSONDecodeError as e:
        problem, at = f"it is not JSON: {e.msg.removesuffix(' at')}", e.pos
    except RecursionError:
        problem = _TOO_DEEP
    except ValueError:
        problem = _TOO_LONG
    else:
        problem, at = _json_fault(text)
        if not problem:
            return value
    raise _at(name, problem, text, at)


def _json_fault(text: str) -> tuple[str, int | None]:
    """What in well-formed JSON is refused all the same, and where: names that stand twice, NaN, infinities."""
    names: list[set[str] | None] = []
    last: tuple[str, int] | None = None
    for found in _TOKEN.finditer(text):
        part, at = found.group(), found.start()
        match part:
            case "{":
                names.append(set())
            case "[":
                names.append(None)
            case "}" | "]":
                names.pop()
            case ":" if last is not None and (known := names[-1]) is not None:
                key = json.loads(last[0])
                if key in known:
                    return _TWICE, last[1]
                known.add(key)
            case "NaN" | "Infinity" | "-Infinity":
                return "it is not JSON: NaN and Infinity are no numbers there", at
            case _ if part[0] in "-0123456789" and math.isinf(float(part)):
                return "a number is too large", at
        last = (part, at) if part[0] == '"' else None
    return "", None


def _toml(text: str, name: str) -> Any:
    problem, at, text = "", None, text.replace("\r\n", "\n")
    try:
        value = _jsonable(tomllib.loads(text))
    except tomllib.TOMLDecodeError as e:
        problem, at = _toml_problem(str(e), text)
    except RecursionError:
        problem = _TOO_DEEP
    except OverflowError:
        problem = "it holds nan or inf, which are no numbers here"
    except ValueError:
        problem = _TOO_LONG
    else:
        return value
    raise _at(name, problem, text, at)


def _toml_problem(said: str, text: str) -> tuple[str, int]:
    """The parser's words, unless they quote the text, and the place that they name at their end."""
    place = _AT.search(said)
    words = said[: place.start()] if place else said
    if re.match(r"Cannot|Duplicate", words):
        words = "a name or table stands twice"
    elif re.match(r"Illegal|Found invalid", words):
        words = "a character may not stand there"
    at = len(text)
    if place and place["line"]:
        lines = text.split("\n")[: int(place["line"]) - 1]
        at = sum(len(line) + 1 for line in lines) + int(place["column"]) - 1
    return f"it is not TOML: {words}", at


def _jsonable(value: Any) -> Any:
    """TOML's dates and times as text. Raises OverflowError for nan and inf."""
    match value:
        case dict():
            return {name: _jsonable(item) for name, item in value.items()}
        case list():
            return [_jsonable(item) for item in value]
        case date() | time():
            return value.isoformat()
        case float() if not math.isfinite(value):
            raise OverflowError("not finite")
        case _:
            return value


def _yaml(text: str, name: str) -> Any:
    problem, at = "", None
    try:
        return yaml_core.load(text, LARGEST)
    except yaml_core.Unfit as e:
        problem, at = str(e), e.at
    except RecursionError:
        problem = _TOO_DEEP
    raise _at(name, problem, text, at)


def _at(name: str, problem: str, text: str, at: int | None) -> InvalidRequest:
    if at is None:
        return _refused(_shown(name), problem)
    before = text[:at].replace("\r\n", "\n")
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return _refused(_shown(name), f"line {line}, column {column}: {problem}")


def _shown(name: str) -> str:
    return "standard input" if name in _STDIN else PurePath(name).name


def _refused(name: str, message: str) -> InvalidRequest:
    return InvalidRequest([Fault(name, message)])
