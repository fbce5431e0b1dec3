"""No secret of the settings is shown, whatever is wrong with them."""

import os
import pickle
import traceback
from pathlib import Path

import pytest
from pydantic import ValidationError

from dispatcher.domain.errors import SettingsError
from dispatcher.settings import Settings, load, safe_url
from dispatcher.settings.urls import passwords_in

CANARY = "canary-4711-secret"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.upper().startswith("DISPATCHER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def _load(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(f"DISPATCHER_{name}", value)
    return load()


WITH_SECRETS = {
    "REDIS_URL": f"redis://user:{CANARY}-redis@host:6379/0",
    "BROKER_URL": f"amqp://user:{CANARY}-broker@host//",
    "RESULT_URL": f"rediss://host/1?password={CANARY}-result",
    "NOSANA_API_KEY": f"{CANARY}-key",
    "IPFS_JWT": f"{CANARY}-jwt",
    "ACCOUNTS__LAB__API_KEY": f"{CANARY}-lab",
    "ACCOUNTS__LAB__IPFS_JWT": f"{CANARY}-lab-jwt",
}


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _load(monkeypatch, **WITH_SECRETS)
    shown = [repr(settings), str(settings), settings.model_dump_json(), repr(settings.model_dump())]
    shown += [repr(settings.account(name)) for name in settings.account_names()]
    assert not [text for text in shown if CANARY in text]
    assert {secret.get_secret_value().removeprefix(CANARY) for secret in settings.secrets()} == {
        "-redis",
        "-broker",
        "-result",
        "-key",
        "-jwt",
        "-lab",
        "-lab-jwt",
    }


@pytest.mark.parametrize(
    "name", [*WITH_SECRETS, "NOSANA_API_URL", "IPFS_GATEWAY_URL", "ACCOUNTS__LAB", "ACCOUNTS"]
)
@pytest.mark.parametrize("spoilt", [f"{CANARY} \x07", f"https://u:{CANARY}@[host", f'{{"{CANARY}": '])
def test_no_refusal_shows_a_secret(monkeypatch: pytest.MonkeyPatch, name: str, spoilt: str) -> None:
    with pytest.raises(SettingsError) as caught:
        _load(monkeypatch, **{**WITH_SECRETS, name: spoilt, "LEASE": "wrong, whether the other is or not"})
    error: BaseException | None = caught.value
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    while error is not None:  # nothing that holds the values hangs on behind it either
        assert CANARY.encode() not in pickle.dumps(error.args)
        assert not hasattr(error, "errors")
        error = error.__cause__ or error.__context__


def test_made_by_hand_the_settings_do_not_show_secrets_either() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(
            ipfs_jwt=f"{CANARY} \x07", redis_url=f"host:{CANARY}", accounts={"lab": {"ipfs_jwt": CANARY}}
        )
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("redis://:pw@host:6379/0", "redis://:***@host:6379/0"),
        ("rediss://user:pw@host", "rediss://user:***@host"),
        ("amqp://u:a@b:c/d@host//", "amqp://u:***@host//"),
        ("redis://host/0?db=1&password=pw&x=2", "redis://host/0?db=1&password=***&x=2"),
        ("amqp://u:p@a//;amqp://u:q@b//", "amqp://u:***@a//;amqp://u:***@b//"),
        ("redis://user@host", "redis://user@host"),
    ],
)
def test_safe_url(url: str, shown: str) -> None:
    assert safe_url(url) == shown


def test_passwords_are_found_in_their_plain_form() -> None:
    url = "redis://u:a%2Fb@h/0?password=c%20d;redis://:e@h"
    assert {secret.get_secret_value() for secret in passwords_in(url)} == {"a/b", "c d", "e"}
