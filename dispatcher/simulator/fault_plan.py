"""The fault plan: rules that say on which calls the network misbehaves, and how.

A plan is a JSON list of rules (or `{"rules": [...]}`). A rule:

    {"route": "jobs.list", "kind": "lose_answer", "probability": 0.2}

`route` is `*`, a route or its family: `jobs.list` (its batch route `jobs.list.batch` included), `jobs.get`,
`jobs.query` (the list of jobs),
`jobs.extend`, `jobs.stop`, `jobs.*`, `credits.balance`, `ipfs.pin`, `ipfs.get`, `markets.*`. It applies to
each call of the route to which its kind can apply, with `probability` (0 to 1) and at most `times` times, or
exactly to the calls number `nth` ([1, 4]: the first and the fourth that it could apply to), or to every one.

| kind | what happens | parameters |
|---|---|---|
| `lose_answer` | the work is done, then the connection dies without an answer | `seconds` before it does |
| `cut` | the connection dies, no work is done | `seconds` before it does |
| `slow` | the work is done, the answer comes late | `seconds` |
| `status` | that status instead of the work | `status`; `body`: text (HTML if it begins with `<`), `""` for none, or JSON; `content_type`; `retry_after`; `done`: true if the work is done all the same |
| `rate_limit` | 429 with Retry-After, no work | `retry_after`: seconds or a date, null for no header; `body` |
| `in_progress` | a fresh idempotency key: 409 IN_PROGRESS for a while | `seconds`; `outcome`: `confirmed` (default: the work is done) or `expired` |
| `expire_key` | a fresh idempotency key: 409 EXPIRED, no work, and the key is dead | on a batch `items`: only those expire |
| `list_late` | a listed job is 404 for a while | `seconds` |
| `host_quits` | the host of a listed job quits | `seconds` after it started |
| `drop_credit` | the caller's credit is clawed back before the work | `to`: what is left, may be negative; or `amount` |

`seconds` are real ones where the connection is slow, simulated ones where the network is. Amounts are US
dollars.
"""  # noqa: E501 (a table row cannot be wrapped)

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dispatcher.simulator import money

ROUTES = (
    "jobs.list",
    "jobs.list.batch",
    "jobs.get",
    "jobs.query",
    "jobs.extend",
    "jobs.extend.batch",
    "jobs.stop",
    "jobs.stop.batch",
    "credits.balance",
    "ipfs.pin",
    "ipfs.get",
    "markets.list",
    "markets.get",
    "markets.required_resources",
)
_LISTING = frozenset({"jobs.list", "jobs.list.batch"})
_KEYED = frozenset(
    route for route in ROUTES if route.startswith("jobs.") and route not in ("jobs.get", "jobs.query")
)
_ANY = frozenset(ROUTES)
_COMMON = ("route", "kind", "probability", "nth", "times")


class FaultPlanError(ValueError):
    """A fault plan that cannot be used. The message and `faults` name everything that is wrong with it."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("fault plan: " + "; ".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Rule:
    """One checked rule. `nth` counts from 1; without it, `probability` and `times` bound the rule."""

    route: str
    kind: str
    probability: float = 1.0
    nth: frozenset[int] = frozenset()
    times: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)

    def covers(self, route: str) -> bool:
        """Whether the rule is about `route` and its kind can happen there."""
        return matches(self.route, route) and route in _KINDS[self.kind].routes


@dataclass(frozen=True, slots=True)
class _Kind:
    routes: frozenset[str] = _ANY
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


_KINDS = {
    "lose_answer": _Kind(optional=("seconds",)),
    "cut": _Kind(optional=("seconds",)),
    "slow": _Kind(required=("seconds",)),
    "status": _Kind(required=("status",), optional=("body", "content_type", "retry_after", "done")),
    "rate_limit": _Kind(optional=("retry_after", "body")),
    "in_progress": _Kind(_KEYED, optional=("seconds", "outcome")),
    "expire_key": _Kind(_KEYED, optional=("items",)),
    "list_late": _Kind(_LISTING, optional=("seconds",)),
    "host_quits": _Kind(_LISTING, optional=("seconds",)),
    "drop_credit": _Kind(optional=("to", "amount")),
}


def matches(pattern: str, route: str) -> bool:
    """Whether a rule's `route` means this route."""
    if pattern == "*":
        return True
    family = pattern.removesuffix(".*")
    return route == family or route.startswith(family + ".")


def parse_plan(data: Any) -> list[Rule]:
    """Checks a plan, the parsed JSON of one. Raises FaultPlanError with every fault found."""
    if isinstance(data, dict) and set(data) == {"rules"}:
        data = data["rules"]
    if not isinstance(data, list):
        raise FaultPlanError(['must be a list of rules or {"rules": [...]}'])
    faults: list[str] = []
    rules = [rule for index, item in enumerate(data) if (rule := _rule(f"rules[{index}]", item, faults))]
    if faults:
        raise FaultPlanError(faults)
    return rules


def _rule(path: str, item: Any, faults: list[str]) -> Rule | None:
    if not isinstance(item, dict):
        faults.append(f"{path}: must be an object")
        return None
    before = len(faults)
    faults.extend(f"{path}.{name}: {fault}" for name, fault in _faults_of(item))
    if len(faults) > before:
        return None
    nth = item.get("nth", [])
    return Rule(
        route=item["route"],
        kind=item["kind"],
        probability=float(item.get("probability", 1.0)),
        nth=frozenset(nth if isinstance(nth, list) else [nth]),
        times=item.get("times"),
        parameters={name: value for name, value in item.items() if name not in _COMMON},
    )


def _faults_of(item: dict[str, Any]) -> list[tuple[str, str]]:
    found = [(name, f"must be {_CHECKS[name][1]}") for name in item if not _passes(name, item[name])]
    found += [(name, "is missing") for name in ("route", "kind") if name not in item]
    if "nth" in item and ("probability" in item or "times" in item):
        found.append(("nth", "cannot be combined with probability or times"))
    kind = _KINDS.get(item["kind"]) if isinstance(item.get("kind"), str) else None
    if kind is None:
        return found
    allowed = (*_COMMON, *kind.required, *kind.optional)
    found += [(name, f"is unknown for kind {item['kind']}") for name in item if name not in allowed]
    found += [(name, f"is required for kind {item['kind']}") for name in kind.required if name not in item]
    route = item.get("route")
    if _is_route(route) and not any(matches(str(route), known) for known in kind.routes):
        found.append(("route", f"kind {item['kind']} cannot happen on {route}"))
    if "to" in item and "amount" in item:
        found.append(("amount", "cannot be combined with to"))
    return found


def _passes(name: str, value: Any) -> bool:
    return name not in _CHECKS or _CHECKS[name][0](value)


def _is_route(value: Any) -> bool:
    return isinstance(value, str) and any(matches(value, route) for route in ROUTES)


def _is_number(value: Any, at_least: float, at_most: float = math.inf) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and at_least <= value <= at_most


def _is_count(value: Any, at_least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= at_least


def _are_counts(value: Any, at_least: int = 1) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_count(item, at_least) for item in value)


def _is_money(value: Any) -> bool:
    try:
        money.thousandths(value)
    except ValueError:
        return False
    return True


_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "route": (_is_route, "one of *, " + ", ".join(ROUTES) + " or a family such as jobs.*"),
    "kind": (lambda value: isinstance(value, str) and value in _KINDS, "one of " + ", ".join(_KINDS)),
    "probability": (lambda value: _is_number(value, 0, 1), "a number from 0 to 1"),
    "nth": (lambda value: _is_count(value) or _are_counts(value), "a list of positive integers"),
    "times": (_is_count, "a positive integer"),
    "seconds": (lambda value: _is_number(value, 0, 1e9), "a number of seconds"),
    "status": (lambda value: _is_count(value, 200) and value < 600, "an HTTP status from 200 to 599"),
    "retry_after": (
        lambda value: value is None or isinstance(value, str) or _is_number(value, 0, 1e9),
        "seconds, an HTTP date or null",
    ),
    "content_type": (lambda value: isinstance(value, str), "a string"),
    "done": (lambda value: isinstance(value, bool), "true or false"),
    "outcome": (lambda value: value in ("confirmed", "expired"), "confirmed or expired"),
    "items": (lambda value: _are_counts(value, 0), "a list of item numbers, from 0"),
    "to": (_is_money, "an amount of US dollars"),
    "amount": (_is_money, "an amount of US dollars"),
}
