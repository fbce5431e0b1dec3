"""Every place of a definition that has everything, with values of every kind put there: the network's verdicts.

The file was made with `validateJobDefinition` of `@nosana/kit` 2.1.8. Its first line has the definition, the values
`with` which each place was overwritten, and `words`. Every other line is a place: `at` its keys, `faults` the paths
found and for which values (indexes into `with`, or "gone": the key taken out); `words` those that are accepted
there, or missing where any string is. Values on which that validator crashes are left out.
"""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from dispatcher.domain.definition import validate_definition

HEADER, *PLACES = (
    json.loads(line) for line in Path(__file__).with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()
)
GONE = object()


def paths_with(at: list[str | int], value: object) -> list[str]:
    definition = copy.deepcopy(HEADER["definition"])
    holder: Any = definition
    for key in at[:-1]:
        holder = holder[key]
    if value is GONE:
        del holder[at[-1]]
    else:
        holder[at[-1]] = value
    return [fault.path for fault in validate_definition(definition)]


def test_the_definition_itself_is_valid() -> None:
    assert validate_definition(HEADER["definition"]) == ()


@pytest.mark.parametrize("place", PLACES, ids=[".".join(map(str, place["at"])) for place in PLACES])
def test_place(place: dict[str, Any]) -> None:
    for paths, values in place["faults"]:
        for index in values:
            value = GONE if index == "gone" else HEADER["with"][index]
            assert paths_with(place["at"], value) == paths, value
    accepted = [word for word in HEADER["words"] if paths_with(place["at"], word) == []]
    assert accepted == place.get("words", HEADER["words"])
