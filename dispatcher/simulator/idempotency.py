"""Idempotency keys: one key, one payload, at most one effect (Nosana credits API, idempotency).

Chosen here where the network's behaviour is not known: a refusal (any 4xx without a code) has no effect and
leaves the key free, so the same key may succeed later, for instance when credit arrived. Keys are kept for
ever.
"""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dispatcher.simulator.accounts import Account
from dispatcher.simulator.messages import Refusal, Reply, refuse


@dataclass(slots=True)
class _Used:
    """What became of a key. `reply` is None for one that is dead: the call surely did not happen."""

    account: Account
    payload: bytes
    reply: Reply | None
    busy_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Pending:
    """A fault: the key is in progress for `seconds` (simulated), then confirmed, or expired without an
    effect."""

    seconds: float
    confirmed: bool


def payload_of(route: str, target: str, body: Any) -> bytes:
    """What a key is bound to: the route, the job in the path and the body's meaning (blanks and order aside)."""
    text = json.dumps([route, target, body], sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


class Keys:
    """All keys that had an effect or died."""

    def __init__(self) -> None:
        self._used: dict[str, _Used] = {}

    def is_fresh(self, key: str) -> bool:
        """Whether nothing has been done under `key`."""
        return key not in self._used

    def replay(self, key: str, account: Account, payload: bytes, now: float) -> Reply | None:
        """The stored answer of a used key, None for a fresh one. Raises the signals (409) and 404 for a key
        of another account."""
        used = self._used.get(key)
        if used is None:
            return None
        if used.account is not account:
            raise refuse(404, "Idempotency key not found")
        if used.payload != payload:
            raise _signal("PAYLOAD_MISMATCH", "This idempotency key was used with another payload")
        if now < used.busy_until:
            raise _in_progress(used.busy_until - now)
        if used.reply is None:
            raise _expired()
        return used.reply

    def use(
        self,
        key: str,
        account: Account,
        payload: bytes,
        do: Callable[[], Reply],
        *,
        now: float,
        expire: bool = False,
        pending: Pending | None = None,
    ) -> Reply:
        """Does the work of a fresh key and stores its answer; `expire` and `pending` are faults that prevent
        or hide it. A refusal of `do` stores nothing."""
        if expire:
            self._used[key] = _Used(account, payload, None)
            raise _expired()
        if pending is None:
            reply = do()
            self._used[key] = _Used(account, payload, reply)
            return reply
        stored = do() if pending.confirmed else None
        self._used[key] = _Used(account, payload, stored, now + pending.seconds)
        raise _in_progress(pending.seconds)


def _in_progress(seconds: float) -> Refusal:
    wait = max(1, math.ceil(seconds))
    signal = _signal(
        "IN_PROGRESS", "The request with this idempotency key is still in progress", retryAfter=wait
    )
    signal.headers["retry-after"] = str(wait)
    return signal


def _expired() -> Refusal:
    return _signal("EXPIRED", "The transaction expired before it was confirmed: use a fresh idempotency key")


def _signal(code: str, message: str, **more: Any) -> Refusal:
    return refuse(409, message, code=f"IDEMPOTENCY_KEY_{code}", **more)
