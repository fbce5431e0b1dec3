"""The settings: defaults, forms, accounts, and what is said about wrong ones."""

import os
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from celery import Celery
from pydantic import SecretStr

from dispatcher.domain.errors import SettingsError
from dispatcher.ops.clock import parse_clock
from dispatcher.settings import Settings, load
from dispatcher.settings.loading import unknown_variables

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


def _refusal(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    with pytest.raises(SettingsError) as caught:
        _load(monkeypatch, **variables)
    return str(caught.value)


def test_nothing_has_to_be_set() -> None:
    settings = load()
    assert settings.redis_url.get_secret_value() == "redis://127.0.0.1:6379/0"
    assert settings.broker_url == settings.result_url == settings.redis_url
    assert not settings.redis_is_configured
    assert settings.account_names() == ()
    assert settings.unknown == ()
    assert settings.nosana_api_url == "https://dashboard.k8s.prd.nos.ci"
    assert settings.ipfs_gateway_url.endswith("/")
    assert (settings.lease, settings.sweep_interval) == (timedelta(seconds=30), timedelta(seconds=0.1))
    assert (settings.retention, settings.visibility_timeout) == (timedelta(days=7), timedelta(hours=1))


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _load(
        monkeypatch, REDIS_URL="", LEASE="", NOSANA_API_KEY="", ACCOUNTS__LAB__IPFS_JWT="", CLOCK=""
    )
    assert not settings.redis_is_configured
    assert settings.account_names() == ()


@pytest.mark.parametrize(
    ("variables", "broker", "result"),
    [
        ({"REDIS_URL": "redis://a/1"}, "redis://a/1", "redis://a/1"),
        ({"REDIS_URL": "redis://a/1", "BROKER_URL": "redis://b/2"}, "redis://b/2", "redis://b/2"),
        ({"REDIS_URL": "redis://a/1", "BROKER_URL": "amqp://b//"}, "amqp://b//", "redis://a/1"),
        ({"BROKER_URL": "amqp://b//;amqp://c//"}, "amqp://b//;amqp://c//", "redis://127.0.0.1:6379/0"),
        ({"BROKER_URL": "redis://b;redis://c"}, "redis://b;redis://c", "redis://127.0.0.1:6379/0"),
        ({"BROKER_URL": "redis://b", "RESULT_URL": "redis://c"}, "redis://b", "redis://c"),
    ],
)
def test_broker_and_results_follow_the_store(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], broker: str, result: str
) -> None:
    settings = _load(monkeypatch, **variables)
    assert settings.broker_url.get_secret_value() == broker
    assert settings.result_url.get_secret_value() == result
    assert settings.redis_is_configured == ("REDIS_URL" in variables)


def test_an_authority_of_ones_own_is_told_to_all_who_connect(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "my ca.pem"
    file.touch()
    settings = _load(monkeypatch, REDIS_CA=f" {file} ", REDIS_URL="rediss://h")
    used = settings.redis_url.get_secret_value()
    assert used.startswith("rediss://h?ssl_cert_reqs=required&ssl_ca_certs=/")
    assert settings.broker_url == settings.result_url == settings.redis_url
    app = Celery(set_as_current=False, broker=used, backend=used)
    assert app.connection_for_write().ssl["ssl_ca_certs"] == str(file)
    assert app.backend.connparams["ssl_ca_certs"] == str(file)
    other = _load(
        monkeypatch,
        REDIS_CA=str(file),
        REDIS_URL="redis://h",
        BROKER_URL="rediss://b?ssl_ca_certs=/x;amqp://c//",
    )
    assert other.redis_url == SecretStr("redis://h")
    assert "my%20ca" not in other.broker_url.get_secret_value()
    with pytest.raises(SettingsError, match="DISPATCHER_REDIS_CA: there is no such file"):
        _load(monkeypatch, REDIS_CA=str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("rediss://h:6380/1", "rediss://h:6380/1?ssl_cert_reqs=required"),
        ("rediss://h?ssl_ca_certs=/ca.pem", "rediss://h?ssl_ca_certs=/ca.pem&ssl_cert_reqs=required"),
        ("rediss://h?ssl_cert_reqs=none", "rediss://h?ssl_cert_reqs=none"),
        ("redis://h", "redis://h"),
    ],
)
def test_tls_certificates_are_verified_by_all_who_connect(
    monkeypatch: pytest.MonkeyPatch, given: str, used: str
) -> None:
    settings = _load(monkeypatch, REDIS_URL=given, BROKER_URL=given)
    assert {settings.redis_url, settings.broker_url, settings.result_url} == {SecretStr(used)}
    app = Celery(set_as_current=False, broker=used, backend=used)
    if used.startswith("rediss"):
        expected = ssl.CERT_NONE if "none" in used else ssl.CERT_REQUIRED
        assert app.connection_for_write().ssl["ssl_cert_reqs"] == expected
        assert app.backend.connparams["ssl_cert_reqs"] == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "http://host"),
        ("REDIS_URL", "redis://"),
        ("REDIS_URL", "redis://host:port/0"),
        ("REDIS_URL", "redis://host/jobs"),
        ("REDIS_URL", "host:6379"),
        ("BROKER_URL", "host"),
        ("BROKER_URL", "redis://[host"),
        ("RESULT_URL", "redis://a;b"),
        ("KEY_PREFIX", "a b"),
        ("KEY_PREFIX", "{slot}"),
        ("NOSANA_API_URL", "dashboard.k8s.prd.nos.ci"),
        ("NOSANA_API_URL", "https://user:password@host"),
        ("IPFS_API_URL", "ftp://host"),
        ("IPFS_GATEWAY_URL", "https://host/ipfs/?x=1"),
        ("NOSANA_API_KEY", "nos_with a blank"),
        ("IPFS_JWT", "ümlaut"),
        ("CLOCK", "60"),
        ("CLOCK", "0@100"),
        ("CLOCK", "-1@100"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "LOUD"),
        ("WORKER_CONCURRENCY", "0"),
        ("WORKER_CONCURRENCY", "many"),
        ("LEASE", "60"),
        ("LEASE", "1s"),
        ("LEASE", "2h"),
        ("RETENTION", "7"),
        ("RETENTION", "1s"),
        ("SWEEP_INTERVAL", "0.1"),
        ("SWEEP_INTERVAL", "0.001s"),
        ("SWEEP_INTERVAL", "5m"),
        ("VISIBILITY_TIMEOUT", "59s"),
        ("RESULT_EXPIRES", "for ever"),
        ("ACCOUNTS", '{"lab": {"api_key": "x"}}'),
        ("ACCOUNTS__LAB", "nos_x"),
        ("ACCOUNTS__LAB__IPFS_JWT", "x"),
        ("ACCOUNTS__LAB__API_URL", "host"),
        ("ACCOUNTS__L.B__API_KEY", "x"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    message = _refusal(monkeypatch, **{name: value})
    assert f"DISPATCHER_{name}".removesuffix("__L.B__API_KEY").removesuffix("__IPFS_JWT") in message


def test_all_wrong_settings_are_named_at_once_with_their_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    message = _refusal(
        monkeypatch, LEASE="60", REDIS_URL="host", WORKER_CONCURRENCY="x", ACCOUNTS__LAB__API_URL="y"
    )
    assert message.startswith("5 settings are wrong:")
    lines = {line.split(":")[0].strip(): line for line in message.splitlines()[1:]}
    assert set(lines) == {
        "DISPATCHER_LEASE",
        "DISPATCHER_REDIS_URL",
        "DISPATCHER_WORKER_CONCURRENCY",
        "DISPATCHER_ACCOUNTS__LAB__API_KEY",
        "DISPATCHER_ACCOUNTS__LAB__API_URL",
    }
    assert "60 has no unit" in lines["DISPATCHER_LEASE"]
    assert "default: 30s" in lines["DISPATCHER_LEASE"]
    assert "default: 16" in lines["DISPATCHER_WORKER_CONCURRENCY"]
    assert "redis://host:6379/0" in lines["DISPATCHER_REDIS_URL"]
    assert "missing" in lines["DISPATCHER_ACCOUNTS__LAB__API_KEY"]


def test_the_visibility_timeout_goes_with_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "DISPATCHER_LEASE" in _refusal(monkeypatch, LEASE="5m", VISIBILITY_TIMEOUT="9m")
    assert _load(monkeypatch, LEASE="5m", VISIBILITY_TIMEOUT="10m").visibility_timeout == timedelta(
        minutes=10
    )


@pytest.mark.parametrize("text", ["", "1@0", "60@1767225600", "0.5@1767225600.125", "1000000@1"])
def test_a_clock_that_is_accepted_can_be_made(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert parse_clock(_load(monkeypatch, CLOCK=text).clock).speed > 0


@pytest.mark.parametrize(
    "text", ["60", "0@1", "0.0@1", "@", "1@", "@1", "1e3@5", "nan@1", "inf@1", "-1@1", "1@-1", "x"]
)
def test_a_clock_that_cannot_be_made_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert "DISPATCHER_CLOCK" in _refusal(monkeypatch, CLOCK=text)
    with pytest.raises(SettingsError, match="DISPATCHER_CLOCK"):
        parse_clock(text)


# --- accounts ---------------------------------------------------------------------------------------------


def test_the_default_account(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _load(
        monkeypatch,
        NOSANA_API_KEY=" nos_abc\n",
        NOSANA_API_URL="https://api.example/",
        IPFS_GATEWAY_URL="https://gateway.example/ipfs",
        IPFS_JWT="token",
    )
    account = settings.account("default")
    assert account.api_key.get_secret_value() == "nos_abc"
    assert account.api_url == "https://api.example"
    assert account.ipfs_gateway_url == "https://gateway.example/ipfs/"
    assert account.ipfs_jwt is not None
    assert account.ipfs_jwt.get_secret_value() == "token"


def test_a_named_account_takes_over_what_it_does_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _load(
        monkeypatch,
        NOSANA_API_KEY="nos_abc",
        IPFS_JWT="token",
        IPFS_API_URL="https://pin.example",
        ACCOUNTS__LAB__API_KEY="12345",  # not to be taken for a number
        ACCOUNTS__LAB__API_URL="http://127.0.0.1:8080/",
        ACCOUNTS__ZOO_2__API_KEY="true",
        ACCOUNTS__ZOO_2__IPFS_JWT="null",
    )
    assert settings.account_names() == ("default", "lab", "zoo_2")
    lab, zoo = settings.account("lab"), settings.account("zoo_2")
    assert (lab.name, lab.api_key.get_secret_value(), lab.api_url) == (
        "lab",
        "12345",
        "http://127.0.0.1:8080",
    )
    assert (lab.ipfs_jwt, lab.ipfs_api_url) == (settings.ipfs_jwt, "https://pin.example")
    assert zoo.api_key.get_secret_value() == "true"
    assert zoo.ipfs_jwt is not None
    assert zoo.ipfs_jwt.get_secret_value() == "null"
    assert zoo.api_url == settings.nosana_api_url


def test_the_default_account_may_be_given_like_the_others_but_not_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = _load(monkeypatch, ACCOUNTS__DEFAULT__API_KEY="nos_a")
    assert settings.account("default").api_key.get_secret_value() == "nos_a"
    assert "DISPATCHER_NOSANA_API_KEY" in _refusal(monkeypatch, NOSANA_API_KEY="nos_b")


def test_an_account_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="DISPATCHER_NOSANA_API_KEY"):
        load().account("default")
    with pytest.raises(SettingsError, match=r"no account 'zoo' \(there are: lab\)"):
        _load(monkeypatch, ACCOUNTS__LAB__API_KEY="x").account("zoo")


# --- variables that mean nothing --------------------------------------------------------------------------


def test_unknown_variables_are_reported_and_tolerated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("DISPATCHER_LAESE=2m\nOTHER=1\n")
    monkeypatch.setenv("DISPATCHER_ENV_FILE", ".env")
    settings = _load(
        monkeypatch,
        REDIS_ULR="redis://x",
        ACCOUNTS__LAB__API_KEY="k",
        ACCOUNTS__LAB__IPFS_JTW="j",
        BANANA="1",
    )
    assert settings.unknown == (
        "DISPATCHER_ACCOUNTS__LAB__IPFS_JTW",
        "DISPATCHER_BANANA",
        "DISPATCHER_LAESE",
        "DISPATCHER_REDIS_ULR",
    )
    said = unknown_variables(settings)
    assert "did you mean DISPATCHER_ACCOUNTS__LAB__IPFS_JWT?" in said[0]
    assert said[1].endswith("has no effect")
    assert "did you mean DISPATCHER_LEASE?" in said[2]
    assert "did you mean DISPATCHER_REDIS_URL?" in said[3]


# --- the file ---------------------------------------------------------------------------------------------


def test_the_env_file_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(
        "DISPATCHER_LEASE=2m\nDISPATCHER_LOG_LEVEL=debug\nDISPATCHER_ACCOUNTS__LAB__API_KEY=k\nDISPATCHER_REDIS_URL=redis://f\n"
    )
    settings = _load(monkeypatch, LOG_LEVEL="warning")
    assert (settings.lease, settings.log_level) == (timedelta(minutes=2), "WARNING")
    assert settings.account_names() == ("lab",)
    assert settings.redis_is_configured
    assert _load(monkeypatch, ENV_FILE="").lease == timedelta(seconds=30)


def test_another_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("DISPATCHER_LEASE=3m\n")
    assert _load(monkeypatch, ENV_FILE="other").lease == timedelta(minutes=3)
    assert "DISPATCHER_ENV_FILE" in _refusal(monkeypatch, ENV_FILE="absent")


def test_an_env_file_that_is_no_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"DISPATCHER_IPFS_JWT=\xff" + CANARY.encode())
    message = _refusal(monkeypatch)
    assert ".env" in message
    assert CANARY not in message


PROJECT = "7XkMcd1AYjCJU7SjrpGmGWHshfr9iVTiw88u6CThYEpL"


def test_keys_and_project_of_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _load(
        monkeypatch,
        NOSANA_API_KEY="nos_a",
        NOSANA_PROJECT=PROJECT,
        ACCOUNTS__LAB__API_KEY="b",
        ACCOUNTS__LAB__IDEMPOTENCY_KEYS="false",
        ACCOUNTS__ZOO__API_KEY="c",
        ACCOUNTS__ZOO__PROJECT=f" {PROJECT} ",
    )
    found = {name: settings.account(name) for name in settings.account_names()}
    assert {name: each.idempotency_keys for name, each in found.items()} == {
        "default": True,
        "lab": False,
        "zoo": True,
    }
    # An account's project is its own: nobody else's jobs are looked through for it.
    assert {name: each.project for name, each in found.items()} == {
        "default": PROJECT,
        "lab": None,
        "zoo": PROJECT,
    }


def test_what_only_enqueues_knows_about_keys_without_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _load(monkeypatch, NOSANA_IDEMPOTENCY_KEYS="false", ACCOUNTS__LAB__API_KEY="b")
    assert not settings.has_idempotency_keys("default")
    assert not settings.has_idempotency_keys("another")
    assert not settings.account("lab").idempotency_keys
    assert _load(monkeypatch, NOSANA_IDEMPOTENCY_KEYS="").has_idempotency_keys("default")


@pytest.mark.parametrize(
    ("name", "value"),
    [("NOSANA_PROJECT", "me"), ("NOSANA_PROJECT", "0" * 40), ("NOSANA_IDEMPOTENCY_KEYS", "perhaps")],
)
def test_a_wrong_word_about_keys_or_project(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    said = _refusal(monkeypatch, **{name: value})
    assert f"DISPATCHER_{name}: " in said
    if name == "NOSANA_IDEMPOTENCY_KEYS":
        assert "default: true" in said
