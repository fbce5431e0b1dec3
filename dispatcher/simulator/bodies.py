"""Request bodies: from JSON to checked values, with the refusals of wrong ones.

A field of the wrong type is a 422 in the form of the server's own validation; a value that makes no sense is
a 400 (Nosana credits API, errors and open questions).
"""

import re
from dataclasses import dataclass
from typing import Any

from dispatcher.simulator import javascript
from dispatcher.simulator.identifiers import is_address, is_cid
from dispatcher.simulator.messages import Refusal, refuse

DEFAULT_TIMEOUT = 3600
_LONGEST = 10**9
_NUMERAL = re.compile(r"[0-9]{1,12}(\.0*)?")


@dataclass(frozen=True, slots=True)
class Listing:
    """What `jobs.list` asks for; `timeout` in seconds."""

    cid: str
    market: str
    timeout: int
    node: str | None


@dataclass(frozen=True, slots=True)
class Limits:
    """The shortest and the longest timeout that can be listed, in seconds."""

    shortest: int
    longest: int


def parsed(body: bytes) -> Any:
    """The body as JSON, None if there is none."""
    if not body:
        return None
    try:
        return javascript.parse(body)
    except (ValueError, RecursionError):
        raise refuse(400, "Bad Request", code="PARSE") from None


def listing(body: Any, limits: Limits, path: str = "") -> Listing:
    """Reads one listing. Raises 422 for a wrong type, 400 for a wrong value; the market is not looked up."""
    fields = _object(body, path)
    cid, market = _string(fields, "ipfsHash", path), _string(fields, "market", path)
    node = fields.get("node")
    if node is not None and not isinstance(node, str):
        raise validation(f"{path}/node", "Expected string")
    if not is_cid(cid):
        raise refuse(400, "Invalid request: 'ipfsHash' is not a CIDv0")
    timeout = whole_seconds(fields.get("timeout", DEFAULT_TIMEOUT))
    if timeout is None or not limits.shortest <= timeout <= limits.longest:
        raise refuse(
            400,
            f"Invalid request: 'timeout' must be a number of seconds from {limits.shortest} to {limits.longest}",
        )
    if node is not None and not is_address(node):
        raise refuse(400, "Invalid request: 'node' is not an address")
    return Listing(cid, market, timeout, node)


def extension(body: Any) -> int:
    """The seconds to add. Raises 400 without a positive number."""
    value = whole_seconds(body.get("seconds") if isinstance(body, dict) else None)
    if value is None or not 0 < value <= _LONGEST:
        raise refuse(400, "Invalid request: 'seconds' must be a positive number")
    return value


def batch(body: Any) -> list[dict[str, Any]]:
    """The items of a batch call. Raises 422 for a wrong shape, 400 for none."""
    items = _object(body, "").get("jobs")
    if not isinstance(items, list):
        raise validation("/jobs", "Expected array")
    if not items:
        raise refuse(400, "Invalid request: 'jobs' is empty")
    return [_object(item, f"/jobs/{index}") for index, item in enumerate(items)]


def job_address(item: dict[str, Any], index: int) -> str:
    """The job that a batch item is about."""
    return _string(item, "jobAddress", f"/jobs/{index}")


def whole_seconds(value: object) -> int | None:
    """A whole number, as a number or as a numeral; None for anything else."""
    if isinstance(value, str):
        return int(value.partition(".")[0]) if _NUMERAL.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if -1e15 < value < 1e15 and value == int(value) else None


def validation(path: str, message: str, *, on: str = "body") -> Refusal:
    """A 422 as the server's own validation says it."""
    body = {
        "type": "validation",
        "on": on,
        "property": path,
        "message": message,
        "expected": {},
        "errors": [],
    }
    return Refusal(422, body)


def _object(body: Any, path: str) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise validation(path or "/", "Expected object")
    return body


def _string(fields: dict[str, Any], name: str, path: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise validation(f"{path}/{name}", "Expected string")
    return value
