"""The simulated network's control routes: what it saw, and credit that arrives."""

from dataclasses import dataclass
from decimal import Decimal

import httpx

_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Counts:
    """What the network itself counted."""

    posts: int
    extends: int
    duplicate_posts: int
    duplicate_extends: int
    lost_answers: int


class Network:
    """Steers and reads the simulated network. Raises `httpx.HTTPError` if it does not answer."""

    def __init__(self, url: str) -> None:
        self._url = url

    def add_credit(self, api_key: str, amount: Decimal) -> None:
        """Credit arrives, US dollars."""
        body = {"account": api_key, "add": str(amount)}
        httpx.post(f"{self._url}/simulator/credits", json=body, timeout=_SECONDS).raise_for_status()

    def counts(self) -> Counts:
        """What its ledger holds so far."""
        answer = httpx.get(f"{self._url}/simulator/ledger", params={"calls": 0}, timeout=_SECONDS)
        ledger = answer.raise_for_status().json()
        return Counts(
            posts=ledger["posts_total"],
            extends=sum(len(job["extensions"]) for job in ledger["jobs"]),
            duplicate_posts=ledger["duplicate_posts"],
            duplicate_extends=ledger["duplicate_extends"],
            lost_answers=ledger["faults"].get("lose_answer", 0),
        )
