"""Callbacks as the receiving application finds them in its queue."""

from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery

from dispatcher.domain.callback import Message
from dispatcher.domain.errors import BrokerUnavailable
from dispatcher.ops.callbacks import CeleryCallbacks
from dispatcher.settings import load

MESSAGE = Message(
    task="billing.job_ended",
    queue=None,
    args=("job_1", {"id": "job_1", "state": "completed", "labels": {"customer": "canary"}}),
    kwargs={"order": 17, "note": "canary"},
    task_id="job_1:ended",
    about="job_1",
)


@pytest.fixture
def app() -> Iterator[Celery]:
    with Celery("test", broker="memory://", set_as_current=False) as made:
        made.conf.task_serializer = "json"
        yield made


def received(app: Celery, queue: str) -> Any:
    with app.connection_for_read() as connection, connection.SimpleQueue(queue) as found:
        message = found.get(timeout=1)
        message.ack()
        return message


@pytest.mark.parametrize(("queue", "goes_to"), [(None, "callbacks"), ("billing", "billing")])
def test_the_receiver_gets_an_ordinary_task(app: Celery, queue: str | None, goes_to: str) -> None:
    message = Message(MESSAGE.task, queue, MESSAGE.args, MESSAGE.kwargs, MESSAGE.task_id, MESSAGE.about)
    CeleryCallbacks(app, "callbacks").send(message)
    got = received(app, goes_to)
    assert got.content_type == "application/json"
    assert (got.headers["task"], got.headers["id"]) == ("billing.job_ended", "job_1:ended")
    assert got.payload[:2] == [list(MESSAGE.args), MESSAGE.kwargs]
    # What Flower and events show of it is the job's id.
    assert "canary" not in str(got.headers)
    assert got.headers["argsrepr"] == "(job_1)"


def test_a_broker_that_is_away_is_told_without_its_address() -> None:
    with Celery("test", broker="redis://user:hunter2@127.0.0.1:1/0", set_as_current=False) as app:
        app.conf.broker_transport_options = {"max_retries": 0}
        with pytest.raises(BrokerUnavailable, match=r"billing\.job_ended was not sent: the bro") as caught:
            CeleryCallbacks(app, "callbacks").send(MESSAGE)
    assert "hunter2" not in str(caught.value)


def test_the_queue_of_the_settings_is_never_the_dispatchers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPATCHER_CALLBACK_QUEUE", "app.ends")
    assert load().callback_queue == "app.ends"
    monkeypatch.setenv("DISPATCHER_CALLBACK_QUEUE", "dispatcher")
    with pytest.raises(Exception, match="CALLBACK_QUEUE"):
        load()
