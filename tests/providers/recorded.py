"""The recorded exchanges of the published clients, where they lie beside the project."""

import json
from pathlib import Path
from typing import Any

import pytest

_FILE = Path(__file__).resolve().parents[2].parent / "shared" / "contracts" / "requests.json"


def recorded(section: str) -> list[dict[str, Any]]:
    """`exchanges` or `error_answers`. Skips the test where the recordings are not there."""
    if not _FILE.is_file():
        pytest.skip("the recorded exchanges (../shared) are not beside this checkout")
    entries: list[dict[str, Any]] = json.loads(_FILE.read_text())[section]
    return entries


def exchange(operation: str, call: str) -> dict[str, Any]:
    """One exchange of the kit, the client whose requests are ours."""
    found = [
        entry
        for entry in recorded("exchanges")
        if (entry["client"], entry["operation"], entry["call"]) == ("@nosana/kit@2.1.8", operation, call)
    ]
    assert len(found) == 1, f"{len(found)} recordings of {operation}, {call}"
    return found[0]
