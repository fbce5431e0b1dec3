"""Addresses that may hold a password: how they are checked, and how they are shown without it."""

import re
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from pydantic import SecretStr

_REDIS = ("redis", "rediss")
# Up to the last @, past any slash: a password that was not encoded as it should be is hidden too.
_PASSWORD = re.compile(r"(?P<before>://[^:/?#\s@]*:)\S*(?=@)")
_SECRET_PARAMETER = re.compile(
    r"(?P<before>[?&](?:password|token|secret|api_key|key)=)[^&#;]*", re.IGNORECASE
)
_SECRET_PARAMETERS = frozenset({"password", "token", "secret", "api_key", "key"})
HIDDEN = "***"


def text_of(url: SecretStr | str) -> str:
    """The address as it was given."""
    return url.get_secret_value() if isinstance(url, SecretStr) else url


def safe_url(url: SecretStr | str) -> str:
    """The address for display: passwords, also those among its parameters, are replaced by `***`.

    Lists of addresses, separated by `;` as Celery takes them, are shown whole.
    """
    shown = [_PASSWORD.sub(rf"\g<before>{HIDDEN}", part) for part in text_of(url).split(";")]
    return ";".join(_SECRET_PARAMETER.sub(rf"\g<before>{HIDDEN}", part) for part in shown)


def passwords_in(url: SecretStr | str) -> tuple[SecretStr, ...]:
    """The passwords that the address holds, decoded: what logs must not show."""
    found = []
    for part in text_of(url).split(";"):
        split = urlsplit(part)
        if split.password:
            found.append(unquote(split.password))
        found += [value for name, value in parse_qsl(split.query) if name.lower() in _SECRET_PARAMETERS]
    return tuple(SecretStr(password) for password in found)


def is_redis(url: SecretStr | str) -> bool:
    """Whether it is one address of a Redis (or Valkey) server."""
    text = text_of(url)
    return ";" not in text and urlsplit(text).scheme in _REDIS


def redis_url(value: SecretStr) -> SecretStr:
    """Checks the address of a Redis server. Raises ValueError, which never holds the address itself."""
    text = value.get_secret_value().strip()
    split = _split(text)
    if split.scheme not in _REDIS or not split.hostname:
        raise ValueError("write it as redis://host:6379/0, or rediss:// for TLS")
    if not re.fullmatch(r"(?:/\d*)?", split.path):
        raise ValueError("the part after the host is the database's number, as in redis://host:6379/0")
    return SecretStr(_verified(text))


def service_url(value: SecretStr) -> SecretStr:
    """Checks an address for Celery: any scheme, perhaps several addresses with `;` between them."""
    text = value.get_secret_value().strip()
    for part in text.split(";"):
        if not re.fullmatch(r"[a-z][a-z0-9+.-]*://.+", part, re.IGNORECASE):
            raise ValueError("write it as scheme://host, as in redis://host:6379/1 or amqp://host//")
        _split(part, port=False)  # some transports take several hosts here: host:1,host:2
    return SecretStr(";".join(_verified(part) for part in text.split(";")))


def web_url(value: str) -> str:
    """Checks the base address of an HTTP service; it comes back without a slash at its end."""
    text = value.strip()
    split = _split(text)
    if split.scheme not in {"http", "https"} or not split.hostname or re.search(r"\s", text):
        raise ValueError("write it as https://host")
    if split.username is not None or split.password is not None:
        raise ValueError("no user or password belongs in this address: keys have settings of their own")
    if split.query or split.fragment:
        raise ValueError("only the base address is wanted, without ? or #")
    return text.rstrip("/")


def gateway_url(value: str) -> str:
    """Checks the address in front of a CID; it comes back with the slash at its end that the CID needs."""
    return web_url(value) + "/"


def with_ca(url: SecretStr, path: str) -> SecretStr:
    """The address with the authority's file in it, which all of redis-py, Celery's broker and its results read; as it
    is for a server without TLS, without a `path`, or where the address names a file itself."""
    return SecretStr(";".join(_signed(part, path) for part in url.get_secret_value().split(";")))


def _signed(text: str, path: str) -> str:
    if not path or urlsplit(text).scheme != "rediss" or "ssl_ca_certs=" in text:
        return text
    return f"{text}{'&' if '?' in text else '?'}ssl_ca_certs={quote(path, safe='/')}"


def _verified(text: str) -> str:
    """A TLS address that says whether the server's certificate is verified: unless told otherwise, it is.

    Left to themselves redis-py verifies, Celery's broker silently does not, and its results refuse the address.
    """
    if urlsplit(text).scheme != "rediss" or "ssl_cert_reqs=" in text:
        return text
    return text + ("&" if "?" in text else "?") + "ssl_cert_reqs=required"


def _split(text: str, *, port: bool = True) -> SplitResult:
    try:
        split = urlsplit(text)
        _ = split.port if port else None  # read for its check: it raises ValueError where it is no port
    except ValueError:
        problem = "it is not an address; is the port a number, and is every special character of a password encoded?"
    else:
        return split
    # Outside of the handler on purpose: the error above quotes the address, and so would this one's context.
    raise ValueError(problem)
