"""The forms that the settings' values have to have."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
)

from dispatcher.settings import urls

_CLOCK = re.compile(r"(?P<speed>\d{1,9}(?:\.\d{1,9})?)@\d{1,12}(?:\.\d{1,9})?")


def _credential(value: SecretStr) -> SecretStr:
    text = value.get_secret_value().strip()
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("it holds a blank, a line break or a character that no HTTP header may carry")
    return SecretStr(text)


def upper(value: Any) -> Any:
    return value.strip().upper() if isinstance(value, str) else value


def clock_form(value: str) -> str:
    text = value.strip()
    found = _CLOCK.fullmatch(text)
    if text and (found is None or float(found["speed"]) <= 0):
        raise ValueError("write it as <speed>@<origin in unix seconds>, as in 60@1767225600")
    return text


def key_prefix(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}", value):
        raise ValueError(
            "write it with letters, digits and _ . : - only, at most 64, beginning with a letter or digit"
        )
    return value


def callback_queue(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value) or value == "dispatcher":
        raise ValueError(
            "it is the name of a queue of your application: letters, digits and . _ -, and not the dispatcher's own"
        )
    return value


RedisUrl = Annotated[SecretStr, AfterValidator(urls.redis_url)]


ServiceUrl = Annotated[SecretStr, AfterValidator(urls.service_url)]


WebUrl = Annotated[str, AfterValidator(urls.web_url)]


GatewayUrl = Annotated[str, AfterValidator(urls.gateway_url)]


Credential = Annotated[SecretStr, AfterValidator(_credential)]


RequestRate = Annotated[float, Field(ge=0.1, le=10_000, allow_inf_nan=False)]


PollRate = Annotated[float, Field(ge=6, le=600_000, allow_inf_nan=False)]


def _address(value: str) -> str:
    text = value.strip()
    if not re.fullmatch(r"[1-9A-HJ-NP-Za-km-z]{32,44}", text):
        raise ValueError("it is not an address on the network: 32 to 44 characters of base58")
    return text


Address = Annotated[str, AfterValidator(_address)]


def between(value: timedelta, least: timedelta, most: timedelta, limits: str) -> timedelta:
    if not least <= value <= most:
        raise ValueError(f"it must be {limits}")
    return value
