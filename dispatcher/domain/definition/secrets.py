"""Secrets in a definition, which is pinned where everybody can read it.

Three things are looked at: the places that the format itself has for secrets, names that tell of one, and the shapes
that secrets have, in every string of the definition and in every name.
"""

import json
from collections.abc import Container, Iterator, Mapping
from typing import Final

from dispatcher.domain.definition.ecmascript import accessor
from dispatcher.domain.definition.tokens import secret_in
from dispatcher.domain.definition.wording import looks_real, tells_of_password, tells_of_secret
from dispatcher.domain.faults import Fault

ROOT: Final = "definition"

_NESTED_AT_MOST: Final = 500
_SHORTEST: Final = 8
_SHORTEST_CHOSEN: Final = 4
"""Characters of what people choose, or write where a secret belongs; anything shorter stands for something else."""

_FIELDS: Final[Mapping[tuple[str, str], str]] = {
    ("IAM", "SECRET_ACCESS_KEY"): "an S3 secret access key",
    ("IAM", "ACCESS_KEY_ID"): "an S3 access key",
    ("docker", "password"): "the password of a registry",
    ("", "accessToken"): "a Hugging Face access token",
}
"""The format's own places for secrets: parent and name; an empty parent is any."""


def secret_faults(definition: object, allowed: Container[str] = ()) -> tuple[Fault, ...]:
    """One fault for each place of a parsed definition that seems to hold a secret, but for the paths in `allowed`.

    A path is written like `definition.ops[0].args.env.HF_TOKEN`. No message holds a value. What lies deeper than 500
    levels is not looked at: a definition like that is not valid.
    """
    return tuple(
        Fault(path, _message(path, kind)) for path, kind in _found(definition) if path not in allowed
    )


def _message(path: str, kind: str) -> str:
    return (
        f"looks like {kind}, and definitions are pinned where everybody can read them: keep it out of the "
        f"definition, or allow this place if it may be public: allow_secrets={json.dumps([path])}"
    )


def strings_of(definition: object) -> Iterator[tuple[str, str, str, str]]:
    """Every string of a parsed definition: its path, its parent's name, its own name, and the string.

    Names come too, at the path of what they are in, with an empty name of their own.
    """
    stack: list[tuple[str, str, str, object, int]] = [(ROOT, "", "", definition, 0)]
    while stack:
        path, parent, name, value, depth = stack.pop()
        match value:
            case str():
                yield path, parent, name, value
            case Mapping() if depth < _NESTED_AT_MOST:
                names = [key for key in value if isinstance(key, str)]
                yield from ((path, parent, "", key) for key in names)
                stack += [(path + _member(key), name, key, value[key], depth + 1) for key in reversed(names)]
            case list() | tuple() if depth < _NESTED_AT_MOST:
                stack += [
                    (f"{path}[{index}]", parent, _named_before(value, index) or name, item, depth + 1)
                    for index, item in reversed(list(enumerate(value)))
                ]
            case _:
                pass


def _found(definition: object) -> Iterator[tuple[str, str]]:
    last = None
    for path, parent, name, text in strings_of(definition):
        if path != last and (kind := _kind(parent, name, text)) is not None:
            last = path
            yield path, kind


def _kind(parent: str, name: str, text: str) -> str | None:
    if len(text) < _SHORTEST_CHOSEN:
        return None
    field = _FIELDS.get((parent, name)) or _FIELDS.get(("", name))
    if field is not None and looks_real(text, shortest=_SHORTEST_CHOSEN, random=False):
        return field
    if tells_of_password(name) and looks_real(text, shortest=_SHORTEST_CHOSEN, random=False):
        return "a password"
    if tells_of_secret(name) and looks_real(text, shortest=_SHORTEST, random=True):
        return "a credential"
    return secret_in(text)


def _named_before(items: list[object] | tuple[object, ...], index: int) -> str:
    """The option in front of an argument: `--password` in `["--password", "..."]`."""
    before, item = items[index - 1] if index else None, items[index]
    if not isinstance(before, str) or not before.startswith("--") or "=" in before:
        return ""
    return "" if isinstance(item, str) and item.startswith("-") else before


def _member(key: str) -> str:
    """How a member is written in a path; a name that is a secret itself is not repeated."""
    return accessor(key) if len(key) < _SHORTEST or secret_in(key) is None else "[***]"
