"""Secrets that are known by their shape, in any text: tokens of known services, keys, addresses with a password.

The rules for tokens are those of Kingfisher, a library that is loaded when the first text comes that could hold one,
since that takes a moment (docs/security.md). Beside them stand the shapes that it leaves out: the network's own keys,
half of a pair of AWS keys, what an address, a header or a command line says.
"""

import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dispatcher.domain.definition.wording import looks_real, tells_of_password, tells_of_secret

if TYPE_CHECKING:
    from kingfisher_sdk import Scanner

_SHORTEST: Final = 8
_COULD_BE_TOKEN: Final = re.compile(r"[A-Za-z0-9_]{16}|[A-Za-z0-9_+/=-]{20}")
_DIGIT: Final = re.compile(r"[0-9]")
_LETTER: Final = re.compile(r"[A-Za-z]")
_BOTH_CASES: Final = re.compile(r"[a-z][A-Z]|[A-Z]{2}[a-z]")
_WORD: Final = re.compile(r"[A-Za-z0-9_+/=.:-]+")

_PRIVATE_KEY: Final = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_NOSANA: Final = re.compile(r"(?<![A-Za-z0-9_])nos_(?P<value>[A-Za-z0-9_-]{8,512}+)")
_AWS: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)(?!IOSFODNN7EXAMPLE)[A-Z2-7]{16}(?![A-Za-z0-9])"
)
_ADDRESS: Final = re.compile(r"://[^\s/:@?#\"']{0,100}+:(?P<value>[^\s/@\"']{1,200})@[A-Za-z0-9\[%$]")
_BEARER: Final = re.compile(r"(?i)\b(?:bearer|basic)\s{1,4}(?P<value>[A-Za-z0-9._~+/=-]{16,4096}+)")
_ASSIGNED: Final = re.compile(
    r"(?<![A-Za-z0-9_.-])(?:--?)?(?P<name>[A-Za-z][A-Za-z0-9_.-]{2,63}+)[\"']?\s{0,2}[=:]\s{0,2}"
    r"(?P<quote>[\"']?)(?P<value>[^\s\"';&|,]{4,512}+)"
)
_OPTION: Final = re.compile(
    r"(?<![^\s\"'])--(?P<name>[A-Za-z][A-Za-z0-9_.-]{2,63}+)\s{1,4}(?P<quote>[\"']?)(?P<value>[^\s\"';&|,-][^\s\"';&|,]{3,512}+)"
)
_CODE: Final = re.compile(r"[()\[\]{}<>$]")


def secret_in(text: str) -> str | None:
    """What kind of secret is in `text`, in a few words; None if there is none to be seen."""
    for look in _LOOKS:
        if (kind := look(text)) is not None:
            return kind
    return None


def _private_key(text: str) -> str | None:
    return "a private key" if _PRIVATE_KEY.search(text) else None


def _network_key(text: str) -> str | None:
    found = (looks_real(each["value"], shortest=_SHORTEST, random=False) for each in _NOSANA.finditer(text))
    return "a Nosana API key" if any(found) else None


def _aws_key(text: str) -> str | None:
    return "an AWS access key" if _AWS.search(text) else None


def _address(text: str) -> str | None:
    found = (looks_real(each["value"], shortest=4, random=False) for each in _ADDRESS.finditer(text))
    return "an address with a password" if any(found) else None


def _header(text: str) -> str | None:
    found = (looks_real(each["value"], shortest=16, random=True) for each in _BEARER.finditer(text))
    return "a credential in an Authorization header" if any(found) else None


def _assigned(text: str) -> str | None:
    """`PASSWORD=...` in a command, `--token ...` as an option. Code that fetches one from elsewhere is none."""
    for pattern in (_ASSIGNED, _OPTION):
        for each in pattern.finditer(text):
            name, value = each["name"], each["value"]
            if not tells_of_secret(name) or _CODE.search(value):
                continue
            chosen = tells_of_password(name) and (bool(each["quote"]) or "=" in each[0])
            if looks_real(value, shortest=4 if chosen else _SHORTEST, random=not chosen):
                return "a password" if chosen else "a credential"
    return None


def _token(text: str) -> str | None:
    if not _could_be_token(text):
        return None
    data = text.encode("utf-8", "replace")
    names = (finding.rule_id for finding in _scanner().scan(data) if finding.visible)
    name = next(names, None)
    return None if name is None else f"a credential ({_plain(name)})"


def _could_be_token(text: str) -> bool:
    """Whether it is worth a look: some word of it is long enough, and not all small letters."""
    if len(text) < 16 or _COULD_BE_TOKEN.search(text) is None:
        return False
    return any(len(word[0]) >= 16 and _is_mixed(word[0]) for word in _WORD.finditer(text))


def _is_mixed(word: str) -> bool:
    return bool((_DIGIT.search(word) and _LETTER.search(word)) or _BOTH_CASES.search(word))


def _plain(rule: str) -> str:
    """`betterleaks.github-pat` gives github pat."""
    return re.split(r"[./]", rule)[-1].replace("-", " ").replace("_", " ")


_LOOKS: Final[tuple[Callable[[str], str | None], ...]] = (
    _private_key,
    _network_key,
    _aws_key,
    _address,
    _header,
    _assigned,
    _token,
)

_lock: Final = threading.Lock()
_loaded: list["Scanner"] = []


def _scanner() -> "Scanner":
    """One for the process; compiled at the first use, or read from the library's own cache of compiled rules."""
    with _lock:
        if not _loaded:
            from kingfisher_sdk import Rules, Scanner  # noqa: PLC0415 - takes a moment, and most texts need none

            # Only rules that are seldom wrong, and nothing that is hidden in base64: a false alarm holds up a job.
            _loaded.append(Scanner(rules=Rules(confidence="medium"), base64=False, dedup=False))
        return _loaded[0]
