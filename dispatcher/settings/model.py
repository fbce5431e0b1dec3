"""The settings: names, defaults, forms, limits.

Every field is the environment variable DISPATCHER_<NAME>; an empty variable counts as not set.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from dispatcher.domain.duration import Duration
from dispatcher.domain.errors import SettingsError
from dispatcher.domain.ids import AccountName, ProjectAddress
from dispatcher.domain.policies.written import PolicySets
from dispatcher.settings import forms, urls
from dispatcher.settings.accounts import ACCOUNT_NAME, DEFAULT_ACCOUNT, Account, NamedAccount
from dispatcher.settings.forms import (
    Address,
    Credential,
    GatewayUrl,
    PollRate,
    RedisUrl,
    RequestRate,
    ServiceUrl,
    WebUrl,
    between,
)

PREFIX = "DISPATCHER_"


def _same_as_store(data: dict[str, Any]) -> SecretStr:
    url: SecretStr = data["redis_url"]
    return url


def _broker_or_store(data: dict[str, Any]) -> SecretStr:
    broker: SecretStr = data["broker_url"]
    return broker if urls.is_redis(broker) else _same_as_store(data)


class Settings(BaseSettings):
    """All settings, checked. Made by `load`, which says what is wrong in the operator's words."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    # In front of the addresses, which take it in.
    redis_ca: str = Field(
        "",
        description="file with the certificate of the authority that signed those of rediss:// servers; "
        "default: the system's authorities",
    )
    redis_url: RedisUrl = Field(
        SecretStr("redis://127.0.0.1:6379/0"), description="the Redis or Valkey server that keeps the jobs"
    )
    broker_url: ServiceUrl = Field(
        default_factory=_same_as_store, description="Celery's broker; default: DISPATCHER_REDIS_URL"
    )
    result_url: ServiceUrl = Field(
        default_factory=_broker_or_store,
        description="Celery's results; default: the broker if that is Redis, otherwise DISPATCHER_REDIS_URL",
    )
    key_prefix: Annotated[str, AfterValidator(forms.key_prefix)] = Field(
        "dispatcher", description="what the store's keys begin with"
    )

    confirm_writes: bool = Field(
        True,
        description="whether a paid call waits until its record is on the server's disk, where the server can say so",
    )

    nosana_api_key: Credential | None = Field(None, description="the default account's API key, nos_...")
    nosana_api_url: WebUrl = Field("https://dashboard.k8s.prd.nos.ci", description="the Nosana credits API")
    nosana_idempotency_keys: bool = Field(
        True, description="false for an API that is older than idempotency keys; also for what only enqueues"
    )
    nosana_project: Address | None = Field(
        None, description="the default account's own address on the network; learnt if it is not said"
    )
    ipfs_api_url: WebUrl = Field("https://api.pinata.cloud", description="where definitions are pinned")
    ipfs_gateway_url: GatewayUrl = Field(
        "https://nosana.mypinata.cloud/ipfs/", description="where results are read"
    )
    ipfs_jwt: Credential | None = Field(None, description="the token for DISPATCHER_IPFS_API_URL")
    accounts: Annotated[dict[str, NamedAccount], NoDecode] = Field(
        default_factory=dict, description="further accounts: DISPATCHER_ACCOUNTS__<NAME>__API_KEY and so on"
    )

    policies_file: str = Field(
        "", description="file with named sets of policies: YAML, TOML or JSON; read when a process starts"
    )

    clock: Annotated[str, AfterValidator(forms.clock_form)] = Field(
        "", description="a simulated clock, <speed>@<origin in unix seconds>; empty: the wall clock"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto, json or console; auto is console on a terminal and JSON lines elsewhere"
    )
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(forms.upper)
    ] = Field("INFO", description="DEBUG, INFO, WARNING, ERROR or CRITICAL")

    schedules_file: str = Field(
        "",
        description="a file with schedules (YAML, TOML, JSON), which beat's ticks keep the store in step with",
    )

    worker_concurrency: int = Field(
        16, ge=1, le=1024, description="threads of a worker: how many calls it makes at once"
    )
    requests_per_second: RequestRate = Field(
        20.0, description="how many calls a second all workers together make for one account, 0.1 to 10000"
    )
    polls_per_minute: PollRate = Field(
        600.0, description="how many looks a minute all jobs of one account share, 6 to 600000"
    )
    lease: Duration = Field(timedelta(seconds=30), description="how long a worker has a job to itself")
    retention: Duration = Field(timedelta(days=7), description="how long a job is kept after its end")
    crashes_at_most: int = Field(
        5, ge=1, le=1000, description="after so many errors in a row a job is put aside as a dead letter"
    )
    sweep_interval: Duration = Field(
        timedelta(milliseconds=100), description="how often workers look for jobs that fell due"
    )
    # An hour, Celery's own default, and not less: a message is not what keeps a job going (the agenda is, and
    # a job whose worker died falls due again when the lease ends), so little is won by a shorter time; and
    # Celery's Redis transport gives back *every* message of the database that is older, also the long tasks of
    # other applications that share it. Where the database is the dispatcher's alone, 5m is a good value.
    visibility_timeout: Duration = Field(
        timedelta(hours=1),
        description="when Celery's Redis transport gives a dead worker's message to another",
    )
    result_expires: Duration = Field(timedelta(days=1), description="how long Celery keeps a task's result")

    callback_queue: Annotated[str, AfterValidator(forms.callback_queue)] = Field(
        "callbacks",
        description="the queue for callbacks whose request names none; your own workers listen to it",
    )

    jobs_at_most: int = Field(
        1_000_000, ge=1, description="how many jobs are kept at once, those that are over included"
    )
    result_at_most: int = Field(
        1_048_576, ge=16_384, le=16_777_216, description="bytes that are kept of a job's result document"
    )

    _unknown: tuple[str, ...] = PrivateAttr(default=())
    _policy_sets: PolicySets = PrivateAttr(default_factory=dict)

    @field_validator("redis_ca")
    @classmethod
    def _redis_ca(cls, value: str) -> str:
        path = value.strip()
        if path and not Path(path).is_file():
            raise ValueError("there is no such file")
        return path

    @field_validator("redis_url", "broker_url", "result_url")
    @classmethod
    def _with_ca(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        return urls.with_ca(value, info.data.get("redis_ca", ""))

    @field_validator("accounts")
    @classmethod
    def _accounts(cls, value: dict[str, NamedAccount], info: ValidationInfo) -> dict[str, NamedAccount]:
        for name in value:
            if not ACCOUNT_NAME.fullmatch(name):
                raise ValueError(
                    "an account's name is made of letters, digits and _, beginning with a letter or digit"
                )
        if DEFAULT_ACCOUNT in value and info.data.get("nosana_api_key") is not None:
            raise ValueError(
                "the account `default` is given twice: by DISPATCHER_NOSANA_API_KEY and by "
                "DISPATCHER_ACCOUNTS__DEFAULT__API_KEY; leave one of them out"
            )
        return value

    @field_validator("lease")
    @classmethod
    def _lease(cls, value: timedelta) -> timedelta:
        return between(value, timedelta(seconds=10), timedelta(hours=1), "10s to 1h")

    @field_validator("sweep_interval")
    @classmethod
    def _sweep_interval(cls, value: timedelta) -> timedelta:
        return between(value, timedelta(milliseconds=10), timedelta(minutes=1), "0.01s to 1m")

    @field_validator("retention", "result_expires")
    @classmethod
    def _kept(cls, value: timedelta) -> timedelta:
        return between(value, timedelta(minutes=1), timedelta(days=3650), "1m to 3650d")

    @field_validator("visibility_timeout")
    @classmethod
    def _visibility_timeout(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        lease = info.data.get("lease")
        if lease is not None and value < 2 * lease:
            raise ValueError("it must be at least twice DISPATCHER_LEASE, or healthy tasks are run twice")
        return value

    @property
    def unknown(self) -> tuple[str, ...]:
        """Variables that begin with DISPATCHER_ and mean nothing: misspelt, most likely. Sorted."""
        return self._unknown

    @property
    def policy_sets(self) -> PolicySets:
        """What DISPATCHER_POLICIES_FILE holds; empty without one."""
        return self._policy_sets

    @property
    def redis_is_configured(self) -> bool:
        """Whether somebody named the Redis server, or its address is only the default."""
        return "redis_url" in self.model_fields_set

    def account_names(self) -> tuple[AccountName, ...]:
        """Accounts that can be used, the default one first."""
        names = {AccountName(name) for name in self.accounts}
        if self.nosana_api_key is not None:
            names.add(DEFAULT_ACCOUNT)
        return tuple(sorted(names, key=lambda name: (name != DEFAULT_ACCOUNT, name)))

    def account(self, name: str) -> Account:
        """The account of this name. Raises `SettingsError`, which names the variable that would make one."""
        if name == DEFAULT_ACCOUNT and self.nosana_api_key is not None:
            given = NamedAccount(api_key=self.nosana_api_key)
        elif name in self.accounts:
            given = self.accounts[name]
        elif name == DEFAULT_ACCOUNT:
            raise SettingsError("no API key: set DISPATCHER_NOSANA_API_KEY to the key of your Nosana account")
        else:
            known = ", ".join(self.account_names()) or "none"
            raise SettingsError(
                f"no account {name!r} (there are: {known}): set {PREFIX}ACCOUNTS__<NAME>__API_KEY for it"
            )
        return Account(
            name=AccountName(name),
            api_key=given.api_key,
            api_url=given.api_url or self.nosana_api_url,
            ipfs_api_url=given.ipfs_api_url or self.ipfs_api_url,
            ipfs_gateway_url=given.ipfs_gateway_url or self.ipfs_gateway_url,
            ipfs_jwt=given.ipfs_jwt or self.ipfs_jwt,
            idempotency_keys=self.has_idempotency_keys(name),
            project=self._project(name),
            requests_per_second=given.requests_per_second or self.requests_per_second,
            polls_per_minute=given.polls_per_minute or self.polls_per_minute,
        )

    def has_idempotency_keys(self, name: str) -> bool:
        """Whether the account's network tells repeats of a call by their key. Also for accounts that are not here:
        an application that only enqueues needs no API key, but has to know this."""
        given = self.accounts.get(name)
        said = given.idempotency_keys if given is not None else None
        return self.nosana_idempotency_keys if said is None else said

    def _project(self, name: str) -> ProjectAddress | None:
        given = self.accounts.get(name)
        said = given.project if given is not None else None
        if said is None and name == DEFAULT_ACCOUNT:
            said = self.nosana_project
        return None if said is None else ProjectAddress(said)

    def secrets(self) -> tuple[SecretStr, ...]:
        """Everything that no log line may show."""
        accounts = [
            secret for account in self.accounts.values() for secret in (account.api_key, account.ipfs_jwt)
        ]
        keys = [secret for secret in (self.nosana_api_key, self.ipfs_jwt, *accounts) if secret is not None]
        addresses = (self.redis_url, self.broker_url, self.result_url)
        return (*keys, *(password for url in addresses for password in urls.passwords_in(url)))
