"""The Celery application: `celery -A dispatcher worker`, `beat`, `flower`, `inspect`.

Belongs here: how Celery is set up, each setting with its reason. May not be here: what tasks do.
"""

from typing import Any

import structlog
from celery import Celery
from celery.signals import celeryd_init, setup_logging, worker_process_shutdown, worker_shutdown
from kombu.entity import Queue

from dispatcher import bootstrap, settings
from dispatcher.ops import logs, transport
from dispatcher.settings.loading import unknown_variables
from dispatcher.sweeper import SweepStep

_log = structlog.get_logger(__name__)

QUEUE = "dispatcher"
"""Follow-ups travel here. Give it with `send_task(..., queue="dispatcher")` where other applications use the broker."""

_settings = settings.load()

app = Celery(
    "dispatcher",
    broker=_settings.broker_url.get_secret_value(),
    backend=_settings.result_url.get_secret_value(),
    # A message that is no task's is refused, and does not end the worker.
    task_cls="dispatcher.ops.taking:Task",
    # An application that imports this package keeps its own Celery application as the current one.
    set_as_current=False,
)

_REDIS_TRANSPORT = {
    # A message that no worker acknowledged is delivered again after this time. Tasks here last seconds, and the
    # agenda rings again long before: this only has to be longer than the longest task.
    "visibility_timeout": int(_settings.visibility_timeout.total_seconds()),
    # By default a killed worker's messages come back up to 100 s late (sweeps every 10 s, every 10th looks).
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
}

app.conf.update(
    imports=("dispatcher.tasks",),
    # Nothing but JSON: a message must not be able to run code.
    task_serializer="json",
    result_serializer="json",
    event_serializer="json",
    accept_content=["json"],
    # "celery" too, because send_task without a queue, from an application that cannot import this package,
    # goes there. Where other applications have workers on that queue: `celery -A dispatcher worker -Q dispatcher`.
    task_default_queue=QUEUE,
    task_queues=(Queue(QUEUE), Queue("celery", exchange="celery", routing_key="celery")),  # type: ignore[no-untyped-call] # kombu is half typed
    # The work is waiting for HTTP: threads, many to a core. Prefork runs executed tasks again on SIGTERM.
    worker_pool="threads",
    worker_concurrency=_settings.worker_concurrency,
    # A worker that dies in a task leaves its message to another; tasks read the job again and decide again.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    # Late acknowledgement with prefetch 1: nobody sits on messages that another worker could take.
    worker_prefetch_multiplier=1,
    # Nobody waits for a follow-up's result, and storing it costs a third of the throughput.
    task_ignore_result=True,
    # Waited for only by those who submit; kept long enough to be fetched.
    result_expires=int(_settings.result_expires.total_seconds()),
    broker_transport_options=_REDIS_TRANSPORT,
    result_backend_transport_options=_REDIS_TRANSPORT,
    broker_connection_retry_on_startup=True,
    # Redis may be away for long; the worker waits for it rather than dying.
    broker_connection_max_retries=None,
    # Producers learn at once that the broker is away: the job is stored, the sweep rings for it later.
    task_publish_retry=False,
    # Remote control and events carry no definitions, see dispatcher.tasks.
    result_extended=False,
    worker_hijack_root_logger=False,
    timezone="UTC",
    beat_schedule={
        # Every worker sweeps by itself; this is for the day on which that thread is wedged in all of them.
        "sweep": {"task": "dispatcher.sweep", "schedule": 30.0, "options": {"expires": 25.0, "queue": QUEUE}},
        # Schedules are in the store: this only asks whether one is due, and two beats, or none for a while, do no harm.
        "tick": {"task": "dispatcher.tick", "schedule": 10.0, "options": {"expires": 20.0, "queue": QUEUE}},
        # A round may be left out: the next one goes on where the last one stopped.
        "reconcile": {
            "task": "dispatcher.reconcile",
            "schedule": 60.0,
            "options": {"expires": 55.0, "queue": QUEUE},
        },
    },
)
app.steps["worker"].add(SweepStep)


@setup_logging.connect(weak=False)
def _configure_logging(**_: Any) -> None:
    logs.configure(_settings)
    for sentence in unknown_variables(_settings):
        _log.warning("unknown_setting", detail=sentence)


@celeryd_init.connect(weak=False)
def _outlive_the_broker(**_: Any) -> None:
    transport.install()


@worker_shutdown.connect(weak=False)
@worker_process_shutdown.connect(weak=False)
def _close(**_: Any) -> None:
    bootstrap.close()
