"""The recorded exchanges of the published clients, each replayed: the same request gets the same answer.

Addresses, transactions and reservations are new each time, so they are compared by where they recur; times
are compared by whether there is one.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dispatcher.simulator.behaviour import Defaults
from dispatcher.simulator.network import Options

_RECORDED = Path(__file__).parents[2] / "../shared/contracts/requests.json"
_IDENTIFIER = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}|[1-9A-HJ-NP-Za-km-z]{80,90}|[0-9a-f]{8}-[0-9a-f-]{27}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

pytestmark = pytest.mark.skipif(
    not _RECORDED.exists(), reason="the recorded exchanges are not on this machine"
)


class _Twins:
    """Which of our identifiers stands for which recorded one; it must be the same one every time, both ways."""

    def __init__(self) -> None:
        self.ours: dict[str, str] = {}
        self.theirs: dict[str, str] = {}

    def same(self, recorded: Any, answered: Any, place: str = "$") -> None:
        if isinstance(recorded, dict):
            assert isinstance(answered, dict), place
            assert list(answered) == list(recorded), place
            for name in recorded:
                self.same(recorded[name], answered[name], f"{place}.{name}")
        elif isinstance(recorded, list):
            assert len(answered) == len(recorded), place
            for index, (one, other) in enumerate(zip(recorded, answered, strict=True)):
                self.same(one, other, f"{place}[{index}]")
        elif isinstance(recorded, str) and _IDENTIFIER.fullmatch(recorded):
            assert _IDENTIFIER.fullmatch(answered), place
            assert self.ours.setdefault(recorded, answered) == answered, place
            assert self.theirs.setdefault(answered, recorded) == recorded, place
        elif isinstance(recorded, str) and _MOMENT.fullmatch(recorded):
            assert _MOMENT.fullmatch(answered), place
        elif isinstance(recorded, int) and recorded > 1_000_000_000:
            assert answered > 1_000_000_000, place
        else:
            assert answered == recorded, place

    def translate(self, path: str) -> str:
        return re.sub(_IDENTIFIER, lambda found: self.ours.get(found.group(), found.group()), path)


def test_recorded_requests_get_the_recorded_answers(make_world: Callable[..., Any]) -> None:
    exchanges = [item for item in json.loads(_RECORDED.read_text())["exchanges"] if item.get("response")]
    assert len(exchanges) > 40
    defaults = Defaults(queued_for=1, runs_for=3600)
    world = make_world(accounts={"nos_test_key": 50}, options=Options(defaults=defaults))
    twins = _Twins()
    for number, exchange in enumerate(exchanges):
        request, response = exchange["request"], exchange["response"]
        if exchange["call"].endswith("(running)"):
            world.wait(1)
        reply = world.call(
            request["method"],
            twins.translate(request["path"]),
            request["body"],
            api_key=None,
            headers=request["headers"],
        )
        label = f"{number} {exchange['client']} {exchange['call']}"
        answered = reply.json()
        if exchange["operation"] == "markets.list":
            answered = answered[: len(response["body"])]
        assert reply.status == response["status"], label
        twins.same(response["body"], answered, label)


@pytest.mark.parametrize(
    ("answers", "rule", "status", "body"),
    [
        (
            "400 {message}",
            {"status": 400, "body": {"message": "Market not found"}},
            400,
            b'{"message":"Market not found"}',
        ),
        ("404 plain text", {"status": 404, "body": "Not Found"}, 404, b"Not Found"),
        ("502 html", {"status": 502, "body": "<html>x</html>"}, 502, b"<html>x</html>"),
        ("500 empty body (content-length 0)", {"status": 500, "body": ""}, 500, b""),
        ("200 empty body (content-length 0)", {"status": 200, "body": ""}, 200, b""),
        ("200 not JSON", {"status": 200, "body": "hello"}, 200, b"hello"),
        ("200 JSON null", {"status": 200, "body": None}, 200, b"null"),
    ],
)
def test_recorded_shapes_of_error_answers_can_be_ordered(
    world: Any, answers: str, rule: dict[str, Any], status: int, body: bytes
) -> None:
    recorded = {item["server_answers"] for item in json.loads(_RECORDED.read_text())["error_answers"]}
    assert answers in recorded
    world.call("POST", "/simulator/faults", [{"route": "*", "kind": "status", **rule}])
    reply = world.call("GET", "/api/credits/balance")
    assert (reply.status, reply.body) == (status, body)
