"""A Redis server that speaks TLS only, and knows one user who may do what docs/security.md says and no more."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import Server, find_server

DOCS = Path(__file__).parents[2] / "docs" / "security.md"
PASSWORD = "canary-acl-7f3d/1"
"""With a character that an address must have encoded."""


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the test's own, and a server's certificate for 127.0.0.1 that it signed."""

    ca: Path
    certificate: Path
    key: Path


@dataclass(frozen=True)
class Secured:
    """How the server is reached: by the dispatcher's user, and by an administrator who sees everything."""

    url: str
    admin_url: str
    authority: Authority


def authority(directory: Path) -> Authority:
    """Made with openssl."""
    directory.mkdir()
    made = Authority(directory / "ca.pem", directory / "server.pem", directory / "server.key")
    ca_key, request, extensions = directory / "ca.key", directory / "request.pem", directory / "extensions"
    extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    _openssl(
        "req",
        "-x509",
        *curve,
        "-keyout",
        ca_key,
        "-out",
        made.ca,
        "-days",
        "2",
        "-subj",
        "/CN=test authority",
    )
    _openssl("req", *curve, "-keyout", made.key, "-out", request, "-subj", "/CN=127.0.0.1")
    # fmt: off
    _openssl(
        "x509", "-req", "-in", request, "-CA", made.ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2",
        "-extfile", extensions, "-out", made.certificate,
    )
    # fmt: on
    return made


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=30)


def rules(prefix: str = "dispatcher") -> str:
    """The user's rules as the documentation gives them, for keys that begin with `prefix`."""
    block = re.search(
        r"```acl\nuser dispatcher on >PASSWORD\s(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL
    )
    assert block is not None, f"{DOCS} has no rules for the user"
    return " ".join(block[1].split()).replace("~dispatcher:*", f"~{prefix}:*")


@contextmanager
def secured(directory: Path) -> Iterator[Secured]:
    """Skips where the server or openssl is missing or cannot do it; fails under CI where the server comes from the
    system, whose package can."""
    program = find_server()
    if program is None or shutil.which("openssl") is None:
        pytest.skip(
            "needs openssl and a Redis server that speaks TLS (that of the `embedded` extra does not)"
        )
    signed = authority(directory / "tls")
    users = directory / "users.acl"
    users.write_text(
        f"user default off\nuser admin on >admin ~* &* +@all\nuser dispatcher on >{PASSWORD} {rules()}\n"
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = {
        "port": 0,
        "tls-port": port,
        "tls-cert-file": signed.certificate,
        "tls-key-file": signed.key,
        "tls-ca-cert-file": signed.ca,
        "tls-auth-clients": "no",
        "aclfile": users,
    }
    try:
        server = Server(
            program,
            directory,
            [str(word) for name, value in options.items() for word in (f"--{name}", value)],
        )
    except RuntimeError as e:
        if os.environ.get("CI") and shutil.which("redis-server") == program:
            raise
        pytest.skip(f"{program} does not speak TLS: {str(e).splitlines()[-1]}")
    try:
        at = f"127.0.0.1:{port}/0"
        encoded = PASSWORD.replace("/", "%2F")
        yield Secured(
            f"rediss://dispatcher:{encoded}@{at}",
            f"rediss://admin:admin@{at}?ssl_ca_certs={signed.ca}",
            signed,
        )
    finally:
        server.stop()
