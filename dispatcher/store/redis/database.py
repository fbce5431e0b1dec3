"""The one place where the server is spoken to: scripts and commands go out here, errors are translated here."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Final

import redis
import structlog
from redis import exceptions as errors

from dispatcher.domain.errors import Bug, StoreUnavailable

_REFUSALS: Final = (errors.OutOfMemoryError, errors.ReadOnlyError, errors.NoPermissionError)
_REFUSAL_WORDS: Final = ("OOM", "MISCONF", "READONLY", "BUSY", "MASTERDOWN", "NOREPLICAS")
"""What a server refuses that works, but not for us now. redis-py has classes for some; for the others, and for what
older servers say of a command in a script, the word stands in the text."""

_DISK_WITHIN: Final = 2000
"""Milliseconds in which a durable write must be on the server's disk: shorter than a socket's time-out."""

_log = structlog.get_logger(__name__)

Argument = str | bytes | int | float


def text(value: Any) -> str:
    """An answer as text, whether the client decodes answers or not."""
    return value.decode() if isinstance(value, bytes) else str(value)


class Database:
    """Scripts of one folder, and plain commands, on one client. `prefix` begins every key.

    Everything raises `StoreUnavailable`, or `Bug` where the server calls a script or a command wrong.
    """

    def __init__(self, client: redis.Redis, folder: str, prefix: str, *, confirm_writes: bool = True) -> None:
        self._client: Any = client  # redis-py types its answers as unions with awaitables
        self._prefix = prefix
        self._place = _place(client)
        self._confirm_writes = confirm_writes
        self._scripts = {name: self._client.register_script(script) for name, script in _load(folder)}

    def key(self, *parts: str) -> str:
        """`prefix:part:...`"""
        return ":".join((self._prefix, *parts))

    def run(self, script: str, *arguments: Argument) -> Any:
        """One script: EVALSHA, and SCRIPT LOAD before it where the server does not know it (any more)."""
        with self._translated():
            return self._scripts[script](keys=[self._prefix], args=arguments)

    def run_durably(self, script: str, *arguments: Argument) -> Any:
        """One script, whose effects are on the server's disk when this comes back, where the server can say so
        (WAITAOF: Redis 7.2 and Valkey with `appendonly yes`); elsewhere as `run`.

        Raises `StoreUnavailable` if the disk takes too long. The effects may be there all the same.
        """
        if not self._confirm_writes:
            return self.run(script, *arguments)
        with self._translated(), self._client.pipeline(transaction=False) as pipeline:
            self._scripts[script](keys=[self._prefix], args=arguments, client=pipeline)
            pipeline.execute_command("WAITAOF", 1, 0, _DISK_WITHIN)
            answer, synced = pipeline.execute(raise_on_error=False)
            if isinstance(answer, Exception):
                raise answer
        if isinstance(synced, errors.ResponseError):
            # An older server, one without an append-only file, or one that forbids the command to this user.
            self._confirm_writes = False
            _log.warning("store_cannot_confirm_writes", server=self._place, detail=str(synced)[:200])
        elif isinstance(synced, Exception):
            raise StoreUnavailable(
                f"the store at {self._place} did not say that a write is on its disk"
            ) from synced
        elif int(synced[0]) < 1:
            raise StoreUnavailable(
                f"the store at {self._place} did not bring a write to its disk within {_DISK_WITHIN // 1000} s: "
                "set appendfsync to everysec or always, or DISPATCHER_CONFIRM_WRITES=false to go on without"
            )
        return answer

    def run_all(self, script: str, calls: Iterable[Sequence[Argument]]) -> list[Any]:
        """The script once for each of `calls`, in one round trip; each is atomic by itself."""
        with self._translated(), self._client.pipeline(transaction=False) as pipeline:
            for arguments in calls:
                self._scripts[script](keys=[self._prefix], args=arguments, client=pipeline)
            answers: list[Any] = pipeline.execute()
            return answers

    def ask(self, *command: Argument) -> Any:
        """One command."""
        with self._translated():
            return self._client.execute_command(*command)

    def ask_all(self, commands: Iterable[Sequence[Argument]]) -> list[Any]:
        """Commands in one round trip, as one step."""
        with self._translated(), self._client.pipeline(transaction=True) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            answers: list[Any] = pipeline.execute()
            return answers

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (errors.ConnectionError, errors.TimeoutError) as e:
            raise StoreUnavailable(f"the store at {self._place} cannot be reached: {type(e).__name__}") from e
        except errors.ResponseError as e:
            refusal = next((word for word in _REFUSAL_WORDS if word in str(e)), type(e).__name__)
            if isinstance(e, _REFUSALS) or refusal in _REFUSAL_WORDS:
                raise StoreUnavailable(f"the store at {self._place} refuses to work: {refusal}") from e
            raise Bug(f"the store at {self._place} does not understand: {type(e).__name__}") from e
        except errors.RedisError as e:
            raise StoreUnavailable(f"the store at {self._place} failed: {type(e).__name__}") from e


def _load(folder: str) -> Iterator[tuple[str, str]]:
    scripts = files("dispatcher.store.redis").joinpath("lua", folder)
    prelude = scripts.joinpath("prelude.lua").read_text(encoding="utf-8")
    for script in scripts.iterdir():
        if script.name.endswith(".lua") and script.name != "prelude.lua":
            yield script.name.removesuffix(".lua"), prelude + script.read_text(encoding="utf-8")


def _place(client: redis.Redis) -> str:
    """Where the server is, without user and password."""
    settings = client.connection_pool.connection_kwargs
    where = settings.get("path") or f"{settings.get('host', 'localhost')}:{settings.get('port', 6379)}"
    return f"{where}/{settings.get('db', 0)}"
