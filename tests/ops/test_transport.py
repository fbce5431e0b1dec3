"""The broker's transport says that a connection is closed in a way that workers are prepared for."""

import subprocess
import sys

import pytest

from dispatcher.ops.transport import Channel

PROGRAM = """
from celery.signals import celeryd_init
from dispatcher.celery import app
celeryd_init.send(sender=None)
from kombu.transport import resolve_transport
print(resolve_transport("redis").__module__, resolve_transport("rediss").__module__)
"""


class Closed:
    client = None


@pytest.mark.parametrize("connection", [None, Closed()])
def test_a_closed_connection_is_a_connection_error(connection: object) -> None:
    channel = object.__new__(Channel)
    channel.connection = connection
    with pytest.raises(ConnectionError, match="closed"):
        channel._connparams()


def test_workers_get_it_and_importing_the_package_changes_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["dispatcher.ops.transport"] * 2
    plain = "import dispatcher.celery, kombu.transport as t; print(t.TRANSPORT_ALIASES['redis'])"
    untouched = subprocess.run([sys.executable, "-c", plain], capture_output=True, text=True, check=True)
    assert untouched.stdout.strip() == "kombu.transport.redis:Transport"
