"""What goes in and out of the simulated network, with no HTTP library in sight."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JSON_TYPE = "application/json; charset=utf-8"
TEXT_TYPE = "text/plain; charset=utf-8"
HTML_TYPE = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `path` is as sent (percent-encoded, without the query); header names are lower-cased.

    Headers hold secrets and are left out of the representation.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = b""

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", {name.lower(): value for name, value in self.headers.items()})

    def bearer(self) -> str | None:
        """The token of `Authorization: Bearer <token>`, or None."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() or None if scheme.lower() == "bearer" else None


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `delay` is in real seconds before it is sent; `cut` means the connection dies without an
    answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0
    cut: bool = False

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


class Refusal(Exception):
    """The network says no: a status with a body. It has had no effect (no job, no charge, no key used up)."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = dict(headers or {})

    def reply(self) -> Reply:
        """The answer that says it."""
        return json_reply(self.body, self.status, self.headers)


def json_reply(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """An answer with a JSON body (non-ASCII escaped, so that lone surrogates survive)."""
    content = json.dumps(body, separators=(",", ":")).encode("ascii")
    return Reply(status, {"content-type": JSON_TYPE, **(headers or {})}, content)


def refuse(status: int, message: str, **more: Any) -> Refusal:
    """A refusal of the usual shape, `{"message": ...}` with further fields."""
    return Refusal(status, {"message": message, **more})
