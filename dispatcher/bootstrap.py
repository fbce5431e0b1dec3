"""Wires the parts from the settings: store, ledger, providers, clock, bell. No logic."""

import secrets
import threading
from dataclasses import dataclass
from typing import Any

from dispatcher import settings as settings_module
from dispatcher.domain.ids import JobId
from dispatcher.engine.parts import Limits, Parts, Timing
from dispatcher.ops.callbacks import CeleryCallbacks
from dispatcher.ops.clock import monotonic, parse_clock
from dispatcher.ops.journal import JobJournal
from dispatcher.ops.scrub import Scrubber
from dispatcher.ops.waker import CeleryWaker
from dispatcher.ports.clock import Clock
from dispatcher.ports.traffic import Traffic
from dispatcher.providers.accounts import Accounts
from dispatcher.providers.disciplined import Apis, Disciplined
from dispatcher.providers.nosana import NosanaProvider
from dispatcher.settings import Account, Settings
from dispatcher.settings.schedules import ScheduleFile
from dispatcher.store.redis import RedisLedger, RedisSchedules, RedisStore, RedisTraffic, connect


@dataclass(frozen=True, slots=True)
class Runtime:
    """What one process works with."""

    settings: Settings
    parts: Parts
    accounts: Accounts


def new_id() -> JobId:
    """A random job id."""
    return JobId(f"job_{secrets.token_hex(12)}")


def build(settings: Settings, app: Any) -> Runtime:
    """All parts for these settings; `app` is the Celery application through which workers are rung."""
    client = connect(settings.redis_url.get_secret_value())
    clock = parse_clock(settings.clock)
    traffic = RedisTraffic(client, settings.key_prefix)
    accounts = Accounts(
        {
            name: _provider(settings, settings.account(name), traffic, clock)
            for name in settings.account_names()
        }
    )
    parts = Parts(
        store=RedisStore(client, settings.key_prefix, confirm_writes=settings.confirm_writes),
        schedules=RedisSchedules(client, settings.key_prefix),
        ledger=RedisLedger(client, settings.key_prefix),
        providers=accounts,
        clock=clock,
        waker=CeleryWaker(app),
        observer=JobJournal(),
        callbacks=CeleryCallbacks(app, settings.callback_queue),
        new_id=new_id,
        timing=Timing(
            lease=settings.lease.total_seconds(),
            retention=settings.retention.total_seconds(),
            crashes_at_most=settings.crashes_at_most,
        ),
        stamps=lambda account: not settings.has_idempotency_keys(account),
        written_schedules=ScheduleFile(settings.schedules_file).read,
        limits=Limits(jobs=settings.jobs_at_most),
        policy_sets=settings.policy_sets,
        own_secrets=tuple({secret.get_secret_value() for secret in settings.secrets()}),
        scrub=Scrubber(settings.secrets()).text,
    )
    return Runtime(settings, parts, accounts)


def _provider(settings: Settings, account: Account, traffic: Traffic, clock: Clock) -> Disciplined:
    provider = NosanaProvider(
        name=account.name,
        api_key=account.api_key,
        api_url=account.api_url,
        ipfs_api_url=account.ipfs_api_url,
        ipfs_gateway_url=account.ipfs_gateway_url,
        ipfs_jwt=account.ipfs_jwt,
        idempotency_keys=account.idempotency_keys,
        project=account.project,
        monotonic=monotonic,
        result_kept=settings.result_at_most,
        others=settings.secrets(),
    )
    return Disciplined(
        provider,
        traffic,
        clock,
        apis=Apis.at(account.api_url, account.ipfs_api_url, account.ipfs_gateway_url),
        requests_per_second=account.requests_per_second,
        polls_per_minute=account.polls_per_minute,
    )


_lock = threading.Lock()
_runtime: list[Runtime] = []


def runtime(app: Any) -> Runtime:
    """This process's runtime, built from the environment at the first call."""
    with _lock:
        if not _runtime:
            _runtime.append(build(settings_module.load(), app))
        return _runtime[0]


def close() -> None:
    """Close the connections of this process's runtime, if it has one."""
    with _lock:
        for built in _runtime:
            built.accounts.close()
        _runtime.clear()
