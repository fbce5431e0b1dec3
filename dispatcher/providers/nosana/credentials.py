"""Secrets: sent in one header, and kept out of everything else."""

from collections.abc import Generator
from typing import Final

import httpx
from pydantic import SecretStr

from dispatcher.domain.errors import SettingsError
from dispatcher.providers.nosana.lines import one_line

TEXT_AT_MOST: Final = 300
"""Characters of the network's own words that an error keeps."""


SECRET_AT_MOST: Final = 4096
"""Characters of a key or token; servers take no longer headers."""

_SHORTEST_IN_BODY: Final = 8
"""Characters; a shorter one could be part of an address or a hash."""


class Bearer(httpx.Auth):
    """Puts `Authorization: Bearer ...` on a request.

    Not a header in a dict: a traceback that shows local variables would show it. httpx drops the header when a
    redirect leads to another origin.
    """

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def __repr__(self) -> str:
        return "Bearer(...)"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        yield request


class Scrubber:
    """Makes foreign text fit for messages and logs: without our secrets, on one line, bounded."""

    def __init__(self, *secrets: SecretStr) -> None:
        self._secrets = sorted(secrets, key=len, reverse=True)

    def __repr__(self) -> str:
        return "Scrubber(...)"

    def body(self, body: bytes) -> bytes:
        """An answer's body with every secret replaced: a server, or one in between, may repeat the request."""
        for secret in self._secrets:
            if len(secret) < _SHORTEST_IN_BODY:
                continue
            body = body.replace(secret.get_secret_value().encode(), b"[secret]")
        return body

    def line(self, text: str, at_most: int = TEXT_AT_MOST) -> str:
        """`text` with every secret replaced by `[secret]`, on one line of at most `at_most` characters."""
        for secret in self._secrets:
            text = text.replace(secret.get_secret_value(), "[secret]")
        return one_line(text, at_most)


def usable(secret: SecretStr, what: str) -> SecretStr:
    """The secret, if a header can carry it. Raises `SettingsError`, which names `what` and never the value."""
    if not secret:
        raise SettingsError(f"{what} is missing")
    if len(secret) > SECRET_AT_MOST:
        raise SettingsError(f"{what} is longer than {SECRET_AT_MOST} characters")
    # Anything else would surface as an error of the HTTP library, and some of those repeat the value.
    if not all("!" <= character <= "~" for character in secret.get_secret_value()):
        raise SettingsError(f"{what} has a blank, a line break or a character beyond ASCII in it")
    return secret
