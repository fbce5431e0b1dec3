"""Everything that is written down or shown, gathered by where, to be searched for secrets."""

import base64
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from tests.processes.station import PATIENCE, Process

BASE64 = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")


def _decoded(word: str) -> str:
    return (
        base64.b64decode(word + "=" * (-len(word) % 4)).decode(errors="replace") if len(word) % 4 != 1 else ""
    )


class Found:
    """Everything that was written down or shown, by where."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {}

    def add(self, place: str, text: str | bytes) -> None:
        shown = text if isinstance(text, str) else text.decode(errors="replace")
        inside = [_decoded(word) for word in BASE64.findall(shown)]  # so do Celery's messages travel
        self.places[place] = "\n".join([self.places.get(place, ""), shown, *inside])

    def of(self, secret: str) -> set[str]:
        return {place for place, text in self.places.items() if secret in text}


@contextmanager
def listening(url: str, found: Found) -> Iterator[None]:
    """All commands that reach the server, scripts' included, until the end."""
    with redis.Redis.from_url(url) as client, client.monitor() as monitor:
        told: list[str] = []
        thread = threading.Thread(target=_listen, args=(monitor, told), daemon=True)
        thread.start()
        try:
            yield
        finally:
            with redis.Redis.from_url(url) as other:
                other.echo("that-was-all")
            thread.join(timeout=PATIENCE)
            found.add("everything redis was told", "\n".join(told))


def _listen(monitor: Any, told: list[str]) -> None:
    for each in monitor.listen():
        told.append(each["command"])
        if "that-was-all" in each["command"]:
            return


def dump(client: redis.Redis, found: Found) -> None:
    """All keys and values; what belongs to a job's definition has a place of its own."""
    values = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
    }
    for key in client.scan_iter():
        value: Any = values[client.type(key)](key)  # type: ignore[operator,index]
        if isinstance(value, dict):
            found.add("definitions in redis", value.pop(b"definition", b""))
        found.add("redis", f"{key!r} {value!r}\n".replace("\\\\", "\\"))


def command_lines(processes: list[Process], found: Found) -> None:
    for process in processes:
        for name in ("cmdline", "comm"):
            file = Path(f"/proc/{process.pid}/{name}")
            if file.exists():
                found.add("command lines", file.read_bytes())
