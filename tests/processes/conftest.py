"""Real processes around a Redis server and a simulated network of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.station import Station, station
from tests.servers import need_server


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Station]:
    need_server()
    with station(tmp_path) as built:
        yield built
