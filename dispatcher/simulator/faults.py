"""The fault plan at work: which faults befall a call. Deterministic from the seed and the order of the calls."""

import random
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from dispatcher.simulator import money
from dispatcher.simulator.fault_plan import Rule
from dispatcher.simulator.idempotency import Pending
from dispatcher.simulator.messages import HTML_TYPE, JSON_TYPE, TEXT_TYPE, Reply, json_reply

_RATE_LIMIT = {"error": "Rate limit exceeded", "message": "Too many requests"}


@dataclass(slots=True)
class Trouble:
    """What befalls one call, gathered from all rules that struck. `answer` replaces the call's own; `done`
    says whether the work is done all the same."""

    kinds: list[str] = field(default_factory=list)
    cut: bool = False
    delay: float = 0.0
    lose_answer: bool = False
    answer: Reply | None = None
    done: bool = False
    pending: Pending | None = None
    expire: bool = False
    expire_items: frozenset[int] = frozenset()
    late: float = 0.0
    quits_after: float | None = None
    drop_by: int | None = None
    drop_to: int | None = None

    @property
    def final(self) -> bool:
        """Whether the call's outcome is decided, so that no further rule of that sort is asked."""
        return (
            self.cut or self.lose_answer or self.answer is not None or self.pending is not None or self.expire
        )


class _Armed:
    """A rule with its own generator and counts, so that no rule's draws depend on another's."""

    def __init__(self, rule: Rule, seed: str) -> None:
        self.rule = rule
        self.seen = 0
        self.struck = 0
        self._generator = random.Random(seed)  # noqa: S311 (repeatable on purpose, guards nothing)

    def strikes(self) -> bool:
        """Counts a call to which the rule could apply, and decides whether it does."""
        rule = self.rule
        self.seen += 1
        if rule.nth:
            hit = self.seen in rule.nth
        else:
            hit = self._generator.random() < rule.probability
            hit = hit and (rule.times is None or self.struck < rule.times)
        self.struck += hit
        return hit


class Faults:
    """The plan in force. Replacing it starts all counts anew."""

    def __init__(self, rules: list[Rule], seed: int) -> None:
        self._seed = seed
        self._armed: list[_Armed] = []
        self.replace(rules)

    def replace(self, rules: list[Rule]) -> None:
        """Puts another plan in force."""
        self._armed = [_Armed(rule, f"fault {self._seed}/{index}") for index, rule in enumerate(rules)]

    def draw(self, route: str, *, fresh_key: bool, account: bool) -> Trouble:
        """What befalls a call of `route`. Kinds about keys need a `fresh_key`, those about credit an
        `account`."""
        trouble = Trouble()
        for armed in self._armed:
            rule = armed.rule
            if not rule.covers(route):
                continue
            if rule.kind in ("in_progress", "expire_key") and not fresh_key:
                continue
            if "items" in rule.parameters and not route.endswith(".batch"):
                continue
            if rule.kind == "drop_credit" and not account:
                continue
            if rule.kind in _FINAL and trouble.final:
                continue
            if armed.strikes():
                trouble.kinds.append(rule.kind)
                _apply(trouble, rule)
        return trouble

    def report(self) -> list[dict[str, Any]]:
        """The rules in force, with how many calls they could have struck and how many they did."""
        return [
            {
                "route": armed.rule.route,
                "kind": armed.rule.kind,
                **armed.rule.parameters,
                "seen": armed.seen,
                "struck": armed.struck,
            }
            for armed in self._armed
        ]


_FINAL = frozenset({"cut", "lose_answer", "status", "rate_limit", "in_progress", "expire_key"})


def _apply(trouble: Trouble, rule: Rule) -> None:
    given = rule.parameters
    match rule.kind:
        case "cut":
            trouble.cut = True
            trouble.delay += given.get("seconds", 0)
        case "lose_answer":
            trouble.lose_answer = True
            trouble.delay += given.get("seconds", 0)
        case "slow":
            trouble.delay += given["seconds"]
        case "status":
            trouble.answer = _answer(given["status"], given)
            trouble.done = given.get("done", False)
        case "rate_limit":
            trouble.answer = _answer(429, {"retry_after": 30, "body": _RATE_LIMIT, **given})
        case "in_progress":
            trouble.pending = Pending(
                given.get("seconds", 5), given.get("outcome", "confirmed") == "confirmed"
            )
        case "expire_key" if "items" in given:
            trouble.expire_items = frozenset(given["items"])
        case "expire_key":
            trouble.expire = True
        case "list_late":
            trouble.late = max(trouble.late, given.get("seconds", 30))
        case "host_quits":
            trouble.quits_after = given.get("seconds", 60)
        case "drop_credit" if "amount" in given:
            trouble.drop_by = money.thousandths(given["amount"])
        case "drop_credit":
            trouble.drop_to = money.thousandths(given.get("to", -1))
        case unknown:
            raise ValueError(f"no such kind of fault: {unknown}")


def _answer(status: int, given: dict[str, Any]) -> Reply:
    headers: dict[str, str] = {}
    if given.get("retry_after") is not None:
        headers["retry-after"] = str(given["retry_after"])
    body = given.get("body", {"message": _phrase(status)})
    if not isinstance(body, str):
        return json_reply(body, status, headers)
    # An empty body still says that it is JSON, which is what trips the published clients up.
    kind = JSON_TYPE if not body else HTML_TYPE if body.startswith("<") else TEXT_TYPE
    headers["content-type"] = given.get("content_type", kind)
    return Reply(status, headers, body.encode())


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"
