"""This process's parts, for applications that use the package as a library.

The first call reads the settings (`DISPATCHER_…`) and connects; the same process then reuses the connections.
"""

from dispatcher import bootstrap
from dispatcher.engine.parts import Parts
from dispatcher.ops import logs


def runtime() -> bootstrap.Runtime:
    """Everything that this process works with. Raises `SettingsError`."""
    from dispatcher.celery import app  # noqa: PLC0415 - reads the settings: at the first call, not at import

    built = bootstrap.runtime(app)
    logs.configure_library(secrets=built.settings.secrets())
    return built


def parts() -> Parts:
    """What the engine works with. Raises `SettingsError`."""
    return runtime().parts
