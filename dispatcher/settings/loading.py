"""Reading the settings, and saying what is wrong with them in words that name the variable."""

import difflib
import os
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dispatcher.domain.duration import format_duration
from dispatcher.domain.errors import InvalidRequest, SettingsError
from dispatcher.domain.policies.written import PolicySets, parse_sets
from dispatcher.settings.accounts import NamedAccount
from dispatcher.settings.documents import read_document
from dispatcher.settings.model import PREFIX, Settings

ENV_FILE = "DISPATCHER_ENV_FILE"
_ACCOUNTS = f"{PREFIX}ACCOUNTS__"


def load() -> Settings:
    """The settings of the environment and of the file that DISPATCHER_ENV_FILE names.

    The file is `.env` in the working directory unless that variable says otherwise; empty, it means no file.
    What the environment says goes before what the file says. Nothing is kept: every call reads anew.

    Raises `SettingsError`, which names every wrong variable and what it should be; it holds no value of one,
    and neither does its cause, which is left out for that reason.
    """
    env_file = _env_file()
    names = _names(env_file)
    settings, faults = _read(env_file)
    if settings is not None:
        settings._policy_sets, faults = _read_sets(settings.policies_file)
    if settings is None or faults:
        count = "1 setting is" if len(faults) == 1 else f"{len(faults)} settings are"
        raise SettingsError(f"{count} wrong:\n" + "\n".join(f"  {fault}" for fault in faults))
    settings._unknown = tuple(sorted(name for name in names if not _is_known(name)))
    return settings


def policy_sets() -> PolicySets:
    """The named sets of policies alone. Raises `SettingsError`, as `load` does."""
    return load().policy_sets


def unknown_variables(settings: Settings) -> tuple[str, ...]:
    """One sentence for each variable that means nothing, with the name that it may have been meant for."""
    sentences = []
    for name in settings.unknown:
        near = difflib.get_close_matches(name.upper(), _known_names(settings), n=1, cutoff=0.75)
        meant = f"; did you mean {near[0]}?" if near else ""
        sentences.append(f"{name} is not a setting and has no effect{meant}")
    return tuple(sentences)


def _env_file() -> Path | None:
    named = os.environ.get(ENV_FILE)
    if named == "":
        return None
    if named is None:
        default = Path(".env")
        return default if default.is_file() else None
    if not Path(named).is_file():
        raise SettingsError(f"{ENV_FILE}: there is no file {named!r}; leave the variable empty for no file")
    return Path(named)


def _names(env_file: Path | None) -> set[str]:
    names: Iterable[str] = ()
    if env_file is not None:
        problem = ""
        try:
            names = dotenv_values(env_file, interpolate=False).keys()
        except OSError as error:
            problem = error.strerror or "it cannot be read"
        except UnicodeDecodeError:
            problem = "it is not UTF-8 text"
        if problem:
            raise SettingsError(f"the file {str(env_file)!r} with settings cannot be read: {problem}")
    return {name for name in (*os.environ, *names) if name.upper().startswith(PREFIX)}


def _read(env_file: Path | None) -> tuple[Settings | None, list[str]]:
    """The settings, or what is wrong with them. The library's error holds the values, so it ends here."""
    try:
        return Settings(_env_file=env_file), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
    return None, [_fault(detail) for detail in details if detail["type"] != "default_factory_not_called"]


def _read_sets(path: str) -> tuple[PolicySets, list[str]]:
    """The sets in the file, or what is wrong with it. Without a path there are none."""
    if not path:
        return {}, []
    try:
        return parse_sets(read_document(Path(path))), []
    except InvalidRequest as e:
        return {}, [f"{PREFIX}POLICIES_FILE: {fault}" for fault in e.faults]


def _fault(detail: ErrorDetails) -> str:
    *path, _ = location = [str(part) for part in detail["loc"]]
    name = PREFIX + "__".join(location).upper()
    if detail["type"] == "missing":
        return f"{name}: it is missing, and the account cannot be used without it"
    message = detail["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    field = None if path else Settings.model_fields.get(location[0])
    meaning = f" ({field.description}{_default(location[0])})" if field is not None else ""
    return f"{name}: {message}{meaning}"


def _default(name: str) -> str:
    match Settings.model_fields[name].default:
        case str() as text if text:
            return f"; default: {text}"
        case bool() as flag:
            return f"; default: {str(flag).lower()}"
        case int() | float() as number:
            return f"; default: {number:g}"
        case timedelta() as duration:
            return f"; default: {format_duration(duration)}"
        case _:
            return ""


def _is_known(name: str) -> bool:
    upper = name.upper()
    if upper.startswith(_ACCOUNTS):
        _, _, field = upper.removeprefix(_ACCOUNTS).rpartition("__")
        return field.lower() in NamedAccount.model_fields
    return upper == ENV_FILE or upper.removeprefix(PREFIX).lower() in Settings.model_fields


def _known_names(settings: Settings) -> list[str]:
    plain = [PREFIX + name.upper() for name in Settings.model_fields]
    nested = [
        f"{_ACCOUNTS}{name}__{field}".upper()
        for name in settings.accounts
        for field in NamedAccount.model_fields
    ]
    return [ENV_FILE, *plain, *nested]
