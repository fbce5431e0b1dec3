"""Names that tell of a secret, and values that may be one: judged by their words.

A name counts by how it ends (`HF_TOKEN`, `dbPassword`, `S3_SECRET_ACCESS_KEY`), so that `MAX_TOKENS`, `TOKENIZER` and
`SECRET_NAME` do not. A value counts unless it stands for something else: a reference, a variable, a place to fill in.
"""

import re
from typing import Final

_LONGEST: Final = 4096
"""Characters of a secret; what is longer is a text, in which one may stand."""

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NOT_A_WORD: Final = re.compile(r"[\W_]+")
_DIGIT: Final = re.compile(r"[0-9]")
_LETTER: Final = re.compile(r"[A-Za-z]")
_MIXED_CASE: Final = re.compile(r"[a-z][A-Z].*[a-z][A-Z]|[A-Z]{2}[a-z].*[A-Z]{2}")
_COUNTED: Final = re.compile(r"\d{1,3}")


def _all_of(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SECRETS: Final = _all_of(
    "password passwd passphrase passcode pass pwd secret token jwt pat apikey authkey secretkey accesskey "
    "privatekey credential credentials apitoken accesstoken authtoken"
)
_PASSWORDS: Final = _all_of("password passwd passphrase passcode pass pwd")
_KEYS: Final = _all_of(
    "api access secret private auth account service encryption encrypt signing master admin license webhook jwt "
    "session deploy storage client shared"
)
"""What makes a `..._KEY` a secret: `SORT_KEY` and `KEY` alone are none."""

_FILLERS: Final = _all_of(
    "your my the a an to be is it in on of for and or not no none null nil undefined empty blank unset default change "
    "changeme changeit changethis replace replaceme fill fillme insert enter put set add here me this todo tbd fixme "
    "example sample demo dummy fake mock test testing placeholder redacted hidden masked removed value string text "
    "secret secrets token tokens key keys password passwd pass pwd pw passphrase credential credentials api apikey "
    "access auth private public user username name id admin root guest postgres mysql minioadmin rabbitmq redis "
    "unused needed required optional local localhost ollama vllm openai huggingface hf nos nosana sk dev development "
    "true false yes on off x xx xxx abc abcd abcdef abc123 foo bar baz foobar self args arg os env environ config "
    "settings options opts params request input ctx process getenv import export var vars variable global"
)
_STANDS_FOR: Final = re.compile(
    r"\$\{?[A-Za-z_]|\$\(|%%.*%%|\{\{.*\}\}|<[^<>]*>|\{[A-Za-z_][A-Za-z0-9_]*\}|%[A-Z_]+%|\.\.\.|…"
)
_FILLED: Final = re.compile(r"(?i)[x*•.#_\-\s0]+|(.)\1*")
_PLACE: Final = re.compile(r"(?:~|\.{1,2})?/[A-Za-z0-9._~/-]*|[A-Za-z]:\\.*|[a-z][a-z0-9+.-]*://[^@]*")


def tells_of_secret(name: str) -> bool:
    """Whether a field, variable or option of this name holds a secret."""
    words = _words(name)
    while len(words) > 1 and _COUNTED.fullmatch(words[-1]):
        words.pop()  # API_KEY_2
    if not words:
        return False
    last = words[-1]
    return last in _SECRETS or (last == "key" and len(words) > 1 and words[-2] in _KEYS)


def tells_of_password(name: str) -> bool:
    """Whether it is one that people choose, which need not look random."""
    words = _words(name)
    return bool(words) and words[-1] in _PASSWORDS


def looks_real(value: str, *, shortest: int, random: bool) -> bool:
    """Whether `value` may be a secret itself: at least `shortest` characters that stand for nothing else.

    `random`: it must have digits beside letters, or both cases inside a word, as keys that machines make do.
    """
    text = value.strip().strip("\"'")
    if not shortest <= len(text) <= _LONGEST:
        return False
    if _STANDS_FOR.search(text) or _FILLED.fullmatch(text):
        return False
    if _PLACE.fullmatch(text) and not _MIXED_CASE.search(text):  # base64 may begin with a slash
        return False
    words = _words(text)
    if words and all(word in _FILLERS or _is_count(word) for word in words):
        return False
    return not random or _looks_random(text)


def _is_count(word: str) -> bool:
    """`1`, `42`, `123456`: what people write where a value has to be filled in."""
    return word.isdigit() and (len(word) <= 3 or word in "01234567890123456789")


def _looks_random(text: str) -> bool:
    if any(character.isspace() for character in text):
        return False
    words = [word for word in _NOT_A_WORD.split(text) if word]
    longest = max(words, key=len, default="")
    if len(longest) >= 16 and (longest.isdigit() or _MIXED_CASE.search(longest)):
        return True
    both = [word for word in words if _DIGIT.search(word) and _LETTER.search(word)]
    return len(max(both, key=len, default="")) >= 6 or sum(map(len, both)) >= 8


def _words(name: str) -> list[str]:
    """In small letters: `clientSecret2` gives client, secret2; `API_KEY` gives api, key."""
    parts = (_CAMEL.sub(" ", part) for part in _NOT_A_WORD.split(name[:200]) if part)
    return [word.lower() for part in parts for word in part.split(" ")]
