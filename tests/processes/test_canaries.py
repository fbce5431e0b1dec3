"""Secrets are planted wherever they can be, and looked for wherever something is written down or shown.

Real processes: Redis with a password, a network that repeats what it is sent, worker, beat, Flower and the command
line, all at debug level. Everything that Redis is ever told is listened to.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from celery import Celery

from tests.processes.echo import Echo, echo
from tests.processes.found import Found, command_lines, dump, listening
from tests.processes.station import PATIENCE, Process, Station
from tests.servers import free_port, start_server

pytestmark = [pytest.mark.processes, pytest.mark.redis]

KEYS = ("nos_canary-rich-a1b2c3d4e5", "nos_canary-poor-f6a7b8c9d0")
JWT = "canary-jwt-5e6f7a8b"
PASSWORD = "canary-redis-0d1e/2f"
OWN = (*KEYS, JWT, PASSWORD, PASSWORD.replace("/", "%2F"))
"""The settings' secrets, in the forms in which they are written."""

ALLOWED = "canary-allowed-7c8d9e0f"
REFUSED = "canary-refused-1a2b3c4d"
MISSENT = "canary-missent-9f8e7d6c"
RESULT = "canary-in-result"
PLACE = "definition.ops[0].args.env.TOKEN"


def definition(token: str, **more: str) -> dict[str, Any]:
    env = {"TOKEN": token, **more}
    return {
        "version": "0.1",
        "type": "container",
        "meta": {"trigger": "test", "simulated": {"runs_for": "4m"}},
        "ops": [
            {"type": "container/run", "id": "main", "args": {"image": "ubuntu", "cmd": "run", "env": env}}
        ],
    }


def request(token: str, **more: Any) -> dict[str, Any]:
    policies = {"extend": {"by": "10m"}}
    return {
        "definition": definition(token),
        "market": "nvidia-3060",
        "timeout": "10m",
        "policies": policies,
        **more,
    }


class Pickled:
    """What a message would do if it were unpickled: leave a file behind."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


def flower(station: Station, found: Found) -> Process:
    port = free_port()
    station.env["FLOWER_UNAUTHENTICATED_API"] = "true"
    process = station._start(
        "flower",
        ["celery", "-A", "dispatcher", "flower", f"--port={port}", "--address=127.0.0.1"],
        station.env,
    )

    def see() -> None:
        at = f"http://127.0.0.1:{port}"
        for path in (
            "/api/workers?refresh=1",
            "/api/tasks?limit=1000",
            "/workers",
            "/tasks",
            "/broker",
            "/metrics",
        ):
            found.add("flower", httpx.get(at + path, timeout=PATIENCE).text)
        for task in httpx.get(f"{at}/api/tasks", timeout=PATIENCE).json():
            found.add("flower", httpx.get(f"{at}/api/task/info/{task}", timeout=PATIENCE).text)
            found.add("flower", httpx.get(f"{at}/task/{task}", timeout=PATIENCE).text)

    process.see = see  # type: ignore[attr-defined]
    return process


def produce(station: Station, url: str, directory: Path, found: Found) -> list[str]:
    """Every way in, with good requests and bad ones; the answers are the jobs that were stored."""
    file, bad = directory / "job.json", directory / "bad.json"
    file.write_text(json.dumps(definition(ALLOWED)))
    bad.write_text(json.dumps(definition(REFUSED)))
    shell = (
        "dispatcher",
        "enqueue",
        str(file),
        "--market",
        "nvidia-3060",
        "--timeout",
        "10m",
        "--allow-secret",
        PLACE,
    )
    ids = [json.loads(station.run(*shell, "--json").stdout)["id"]]
    for words in (
        ("dispatcher", "enqueue", str(bad), "--market", "nvidia-3060", "--timeout", "10m"),
        ("dispatcher", "validate", str(bad)),
    ):
        refused = station.run(*words)
        assert PLACE in refused.stderr
        found.add("command line", refused.stdout + refused.stderr)
    program = f"""
import dispatcher, os
try:
    dispatcher.enqueue({request(REFUSED)!r})
except dispatcher.InvalidRequest as e:
    import traceback; traceback.print_exc(); print(repr(e), e.args)
asked = {request("x")!r}
asked["labels"] = {{"note": os.environ["DISPATCHER_NOSANA_API_KEY"]}}
dispatcher.enqueue(asked)
"""
    unhandled = station.run("python", "-c", program.replace(REFUSED, REFUSED))
    assert "labels: holds one of the dispatcher's own secrets" in unhandled.stderr
    # What Python shows of a program given on the command line is the program.
    found.add("an application's traceback", (unhandled.stdout + unhandled.stderr).replace(program, ""))
    lost = {
        **station.env,
        "DISPATCHER_REDIS_URL": station.env["DISPATCHER_REDIS_URL"].replace("127.0.0.1", "127.0.0.2"),
    }
    station.env, kept = lost, station.env
    away = station.run("python", "-c", "import dispatcher; dispatcher.get_job('job_x').refresh()")
    station.env = kept
    assert "StoreUnavailable" in away.stderr
    found.add("an application's traceback", away.stderr)
    with Celery("another application", broker=url, backend=url, set_as_current=False) as other:
        for kwargs in (request(REFUSED), {**request("x"), "account": KEYS[1]}):
            task = other.send_task("dispatcher.submit", kwargs=kwargs, queue="dispatcher")
            with pytest.raises(ValueError, match="1 fault") as caught:
                task.get(timeout=PATIENCE)
            found.add("a task's error", repr(caught.value) + str(task.traceback))
        submitted = other.send_task(
            "dispatcher.submit",
            kwargs=request(ALLOWED, allow_secrets=[PLACE], account="poor"),
            queue="dispatcher",
        )
        ids.append(submitted.get(timeout=PATIENCE)["id"])
        other.send_task("dispatcher.submitt", kwargs=request(MISSENT), queue="dispatcher")
        other.send_task("dispatcher.poll", args=[{"x": MISSENT}], kwargs={"y": MISSENT}, queue="dispatcher")
        other.send_task("dispatcher.poll", args=[[3, MISSENT]], queue="dispatcher")
        _send_what_is_no_json(other, directory)
    return ids


def _send_what_is_no_json(app: Celery, directory: Path) -> None:
    """Pickle and YAML, as tasks that are known, and text that is neither."""
    import pickle

    body = pickle.dumps(([Pickled(directory / "unpickled")], {"x": MISSENT}, {}))
    headers = {"task": "dispatcher.sweep", "id": "canary", "lang": "py", "argsrepr": MISSENT}
    yaml = f"- [!!python/object/apply:pathlib.Path.touch [{directory / 'unyamled'}]]\n- {{x: {MISSENT}}}\n- {{}}\n"
    with app.connection_for_write() as connection:
        producer = connection.Producer()
        for content, kind, encoding in (
            (body, "application/x-python-serialize", "binary"),
            (body, "application/data", "binary"),
            (yaml.encode(), "application/x-yaml", "utf-8"),
            (f"{{{MISSENT}".encode(), "application/json", "utf-8"),
            (b"\xff" + MISSENT.encode(), "application/json", "utf-8"),
        ):
            producer.publish(
                content,
                routing_key="dispatcher",
                headers=headers,
                content_type=kind,
                content_encoding=encoding,
            )


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[Station, str, Echo]]:
    server = start_server(tmp_path, ["--requirepass", PASSWORD])
    url = server.url.replace("redis://", f"redis://:{PASSWORD.replace('/', '%2F')}@")
    station = Station(tmp_path, url, keys=KEYS, jwt=JWT)
    with echo(station.api_url, f"Bearer {KEYS[0]} {KEYS[1]} {JWT}") as network:
        station.env |= {
            "DISPATCHER_NOSANA_API_URL": network.url,
            "DISPATCHER_IPFS_API_URL": station.env["DISPATCHER_IPFS_API_URL"].replace(
                station.api_url, network.url
            ),
            "DISPATCHER_IPFS_GATEWAY_URL": station.env["DISPATCHER_IPFS_GATEWAY_URL"].replace(
                station.api_url, network.url
            ),
            "DISPATCHER_LOG_LEVEL": "DEBUG",
        }
        try:
            yield station, url, network
        finally:
            station.close()
            server.stop()


def test_no_secret_is_written_down_or_shown(place: tuple[Station, str, Echo], tmp_path: Path) -> None:
    station, url, network = place
    found = Found()
    processes = [station.start_beat()]
    station.env["DISPATCHER_LOG_FORMAT"] = "console"
    watcher = flower(station, found)
    with listening(url, found):
        processes += [station.start_worker("one"), watcher]
        ids = produce(station, url, tmp_path, found)
        station.credit(KEYS[1], "1")
        ends = [station.ended(each) for each in ids]
        watcher.see()  # type: ignore[attr-defined]
        command_lines(processes, found)
        for words in (
            ("dispatcher", "balance", "--json"),
            ("dispatcher", "jobs", "--json"),
            *(("dispatcher", "events", each, "--json") for each in ids),
            ("celery", "-A", "dispatcher", "inspect", "conf"),
            ("celery", "-A", "dispatcher", "report"),
        ):
            done = station.run(*words)
            assert done.returncode == 0, done.stderr
            found.add("command line", done.stdout + done.stderr)
        with redis.Redis.from_url(url) as client:
            dump(client, found)
    found.add("command line", json.dumps(ends))
    for process in processes:
        found.add("logs", process.log.read_text())
    for path, headers, body in network.sent:
        found.add("pinned" if "pin" in path else "told to the network", body)
        for own in KEYS if "/api/" in path else (JWT,) if "pin" in path else ():
            headers = {name: value for name, value in headers.items() if value != f"Bearer {own}"}  # noqa: PLW2901
        found.add("told to the network", f"{path} {headers}")

    # A producer's message passes through the broker, also one that names a key, which is refused then.
    passing = "everything redis was told"
    for own in OWN:
        assert found.of(own) == ({passing} if own == KEYS[1] else set()), own
    # A definition is stored, and pinned where its secret is allowed to be.
    assert found.of(ALLOWED) == {passing, "definitions in redis", "pinned"}
    assert found.of(REFUSED) == {passing}
    assert found.of(MISSENT) == {passing}
    assert found.of(RESULT) == set()
    looked_at = {"redis", "logs", "flower", "command line", "command lines", "pinned", "told to the network"}
    assert {place for place, text in found.places.items() if text} >= looked_at
    assert [(end["state"], end["exit_code"]) for end in ends] == [("completed", 0)] * 2
    assert processes[1].log.read_text().count("Its content is not shown") >= 5
    assert not (tmp_path / "unpickled").exists()
    assert not (tmp_path / "unyamled").exists()
