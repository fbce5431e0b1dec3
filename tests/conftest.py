"""What all tests share: nothing of the machine's own settings reaches them."""

import os
from collections.abc import Iterator

import pytest

from tests.servers import redis_client, redis_url
from tests.world import UNCHECKED

__all__ = ["redis_client", "redis_url"]

# At import, before anything reads the settings: a developer's variables and `.env` are not the tests' business.
for _name in [
    name for name in os.environ if name.startswith("DISPATCHER_") and name != "DISPATCHER_TEST_REDIS_URL"
]:
    del os.environ[_name]
os.environ["DISPATCHER_ENV_FILE"] = ""


@pytest.fixture(autouse=True)
def _no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)


@pytest.fixture(autouse=True)
def _every_log_leads_to_its_record() -> Iterator[None]:
    """Whatever a test does to a world, in the end the logs of its jobs tell how each came to be what it is."""
    UNCHECKED.clear()
    yield
    worlds = list(UNCHECKED)
    UNCHECKED.clear()
    for world in worlds:
        world.check_logs()
