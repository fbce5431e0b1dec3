"""What all tests share: nothing of the machine's own settings reaches them."""

import os

import pytest

from tests.servers import redis_client, redis_url

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
