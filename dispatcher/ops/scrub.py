"""Keeping secrets out of what is written down.

Three nets, since no single one holds everything: the secrets that are known (the settings' own, in every form
they are likely to be written in), the names of fields that hold secrets, and the shapes that secrets have.
"""

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

HIDDEN = "***"

_SHORTEST = 4
"""Characters. To hide a shorter secret wherever it occurs would only garble words; the other nets remain."""

_DEEPEST = 12
"""Levels of nesting that are looked into; what lies deeper is left out, which also ends what contains itself."""

_NAMES = (
    r"authorization|api[_-]?key|apikey|jwt|passw(?:or)?d|passphrase|secret|credential|cookie|access[_-]?token"
)
_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)
_SECRET_IN_TEXT = re.compile(
    rf"(?P<before>(?:{_NAMES})[a-z_-]*[\"']?\s*[:=]\s*[\"']?)(?!None\b|null\b)[^\s\"',;&)}}\]]+",
    re.IGNORECASE,
)
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(Bearer)\s+[A-Za-z0-9._~+/=-]{4,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(r"\bnos_[A-Za-z0-9_-]{8,}"), f"nos_{HIDDEN}"),  # the network's API keys
    (re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), HIDDEN),  # JSON web tokens
    (re.compile(r"(://[^:/?#\s@]*:)[^\s@]+(?=@)"), rf"\1{HIDDEN}"),  # the password of an address
)


class Scrubber:
    """Replaces secrets by `***`. A structlog processor when it is called."""

    def __init__(self, secrets: Iterable[SecretStr | str] = ()) -> None:
        values = (
            secret.get_secret_value() if isinstance(secret, SecretStr) else secret for secret in secrets
        )
        self._values = frozenset(value for value in values if len(value) >= _SHORTEST)
        forms = {form for value in self._values for form in _forms(value)}
        # The longest first: where one secret is part of another, nothing of the longer one may remain.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __repr__(self) -> str:
        return f"Scrubber({len(self._values)} secrets)"

    def __call__(self, _logger: Any, _method: str, event_dict: Mapping[str, Any]) -> dict[str, Any]:
        return {self.text(str(name)): self._field(str(name), value, 0) for name, value in event_dict.items()}

    def text(self, text: str) -> str:
        """The text without secrets."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for shape, replacement in _SHAPES:
            text = shape.sub(replacement, text)
        return _SECRET_IN_TEXT.sub(rf"\g<before>{HIDDEN}", text)

    def value(self, value: Any) -> Any:
        """The value without secrets, made of dicts, lists and plain values only (what JSON can hold)."""
        return self._value(value, 0)

    def _field(self, name: str, value: Any, depth: int) -> Any:
        if value is not None and not isinstance(value, bool) and _SECRET_NAME.search(name):
            return HIDDEN
        return self._value(value, depth)

    def _value(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if depth > _DEEPEST:
            return "..."
        match value:
            case str():
                return self.text(value)
            case int() | float():
                return HIDDEN if str(value) in self._values else value
            case SecretStr():
                return HIDDEN
            case Mapping():
                return {
                    self.text(str(key)): self._field(str(key), each, depth + 1) for key, each in value.items()
                }
            case list() | tuple() | set() | frozenset():
                return [self._value(each, depth + 1) for each in value]
            case Decimal():
                return self.text(str(value))
            case _:
                return self.text(repr(value))


def _forms(secret: str) -> set[str]:
    """The secret as it is, as addresses, JSON and Python write it."""
    return {
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
    }
