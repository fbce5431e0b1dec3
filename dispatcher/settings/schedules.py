"""The settings' file with schedules, read again when it is another."""

import threading
from pathlib import Path
from typing import Final

from dispatcher.domain.errors import SettingsError
from dispatcher.domain.schedules import Schedule, parse_schedules
from dispatcher.settings.documents import read_document

VARIABLE: Final = "DISPATCHER_SCHEDULES_FILE"


class ScheduleFile:
    """Threads may share it. An empty path stands for no file."""

    def __init__(self, path: str) -> None:
        self._path = path.strip()
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._schedules: list[Schedule] | None = None

    def read(self) -> list[Schedule] | None:
        """The file's schedules; None without a file, and for one that was refused before and is the same still.

        Raises `InvalidRequest` with every fault, `SettingsError` where the file cannot be read.
        """
        if not self._path:
            return None
        path = Path(self._path)
        with self._lock:
            try:
                found = path.stat()
            except OSError as e:
                self._seen = None
                raise SettingsError(f"{VARIABLE}: {path} cannot be read: {e.strerror}") from e
            seen = (found.st_ino, found.st_mtime_ns, found.st_size)
            if seen != self._seen:
                self._seen, self._schedules = seen, None
                self._schedules = parse_schedules(read_document(path))
            return self._schedules
