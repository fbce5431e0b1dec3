"""The processes of the demo: their commands and what they are told through the environment."""

import json
import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import dispatcher
from dispatcher.demo.scenario import CREDITS, FAULTS, POOR, RICH

WORKERS: Final = 2

COMMANDS: Final[Mapping[str, str]] = {
    "worker": "exec celery -A dispatcher worker --loglevel INFO --hostname=${HONCHO_PROCESS_NAME:-worker}@%h",
    "beat": "mkdir -p .dispatcher && "
    "exec celery -A dispatcher beat --loglevel INFO --schedule .dispatcher/celerybeat-schedule",
}
"""What runs where there is no Procfile, which is a repository's and not in a wheel: the same as it says."""

KEYS: Final[Mapping[str, str]] = {RICH: "nos_demo_rich", POOR: "nos_demo_poor"}
"""API keys of the simulated network. It is on this machine and ends with the demo, so they guard nothing."""

IPFS_JWT: Final = "demo-jwt"

_OURS: Final = "DISPATCHER_"


def missing_packages() -> list[str]:
    """What the demo needs beyond the package's own dependencies and is not installed."""
    return [name for name in ("aiohttp", "honcho") if find_spec(name) is None]


def network_command(clock: str, faults: Path) -> list[str]:
    """The simulated network; says in one line of JSON when it is ready. `faults`: a file with its fault plan."""
    accounts = [word for name, key in KEYS.items() for word in ("--account", f"{key}={CREDITS[name]}")]
    # fmt: off
    return [
        sys.executable, "-m", "dispatcher", "simulate", "--json", "--port", "0",
        "--clock", clock, "--ipfs-jwt", IPFS_JWT, "--faults", str(faults), *accounts,
    ]
    # fmt: on


def workers_command(procfile: Path) -> list[str]:
    """honcho with the workers and beat. A name that no environment file has keeps it from reading one."""
    # fmt: off
    return [
        sys.executable, "-m", "honcho", "--no-colour", "--env", "no-environment-file", "--procfile", str(procfile),
        "start", "--concurrency", f"worker={WORKERS},beat=1", "worker", "beat",
    ]
    # fmt: on


def find_procfile(directory: Path) -> Path:
    """The repository's Procfile; in `directory` one of the same commands, where the package is installed alone."""
    beside = Path(dispatcher.__file__).resolve().parents[1]
    if (beside / "Procfile").is_file() and (beside / "pyproject.toml").is_file():
        return beside / "Procfile"
    written = directory / "Procfile"
    written.write_text(
        "".join(f"{name}: {command}\n" for name, command in COMMANDS.items()), encoding="utf-8"
    )
    return written


def write_faults(directory: Path) -> Path:
    """The fault plan in a file."""
    written = directory / "faults.json"
    written.write_text(json.dumps([dict(fault) for fault in FAULTS]), encoding="utf-8")
    return written


def settings(
    network: Mapping[str, Any], redis_url: str, prefix: str, given: Mapping[str, str]
) -> dict[str, str]:
    """What the dispatcher is told, in the demo's own process and in the workers.

    `network`: what the simulated network said when it was ready; `given`: the environment that the demo was started
    in, of which the broker is taken over if it names one. No other setting of it counts, and no `.env` file: the
    demo must not reach a real network or anybody's jobs.
    """
    told = {
        "DISPATCHER_ENV_FILE": "",
        "DISPATCHER_CLOCK": network["clock"],
        "DISPATCHER_REDIS_URL": redis_url,
        "DISPATCHER_KEY_PREFIX": prefix,
        "DISPATCHER_NOSANA_API_URL": network["api_url"],
        "DISPATCHER_NOSANA_API_KEY": KEYS[RICH],
        "DISPATCHER_IPFS_API_URL": network["ipfs_api_url"],
        "DISPATCHER_IPFS_GATEWAY_URL": network["ipfs_gateway_url"],
        "DISPATCHER_IPFS_JWT": network["ipfs_jwt"],
        f"DISPATCHER_ACCOUNTS__{POOR.upper()}__API_KEY": KEYS[POOR],
        # Counted by the wall clock; the demo's own runs many times as fast.
        "DISPATCHER_POLLS_PER_MINUTE": "60000",
        "DISPATCHER_LOG_FORMAT": "console",
    }
    return told | {name: given[name] for name in ("DISPATCHER_BROKER_URL",) if given.get(name)}


def environment(given: Mapping[str, str], told: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a child: the given one without its own settings of ours, and what it is told.

    The `celery` of the Python that runs this comes first on its PATH.
    """
    kept = {name: value for name, value in given.items() if not name.startswith(_OURS)}
    path = os.pathsep.join([str(Path(sys.executable).parent), given.get("PATH", os.defpath)])
    return {**kept, "PATH": path, "PYTHONUNBUFFERED": "1", **told}
