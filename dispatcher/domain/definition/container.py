"""The schema of `args`: what an operation runs, or the volume that it creates."""

from typing import Final

from dispatcher.domain.definition.ecmascript import Kind
from dispatcher.domain.definition.exposure import EXPOSE
from dispatcher.domain.definition.resources import RESOURCES
from dispatcher.domain.definition.shapes import (
    BOOLEAN,
    NUMBER,
    STRING,
    STRING_MAP,
    STRING_OR_STRINGS,
    Choice,
    Field,
    Record,
    Shape,
    Text,
    array_of,
    has,
    listed,
    loosely_object_of,
    object_of,
    one_of,
    optional,
)

_VOLUMES: Final = array_of(
    "an array of volumes",
    loosely_object_of(
        "an object with `name` and `dest`", Record((Field("name", STRING), Field("dest", STRING)))
    ),
)

_RESTARTS: Final = ("no", "always", "unless-stopped", "on-failure")
_RESTARTS_WANTED: Final = listed([f'"{word}"' for word in _RESTARTS]) + " (or an object with `policy`)"
_RESTART_RECORD: Final = Record((Field("policy", one_of("on-failure")), optional("restart_tries", NUMBER)))
_RESTART_POLICY: Final = Shape(
    _RESTARTS_WANTED,
    {
        Kind.STRING: Text(frozenset(_RESTARTS).__contains__, _RESTARTS_WANTED),
        Kind.OBJECT: _RESTART_RECORD,
        Kind.ARRAY: _RESTART_RECORD,
    },
    show=True,
)

_DOCKER_LOGIN: Final = Record(
    (
        optional("username", STRING),
        optional("password", STRING),
        optional("email", STRING),
        optional("server", STRING),
    )
)
_AUTHENTICATION: Final = object_of(
    "an object with `docker`",
    Record(
        (optional("docker", object_of("an object with username, password, email or server", _DOCKER_LOGIN)),),
    ),
)

_RUN: Final = Record(
    (
        Field("image", STRING),
        optional("aliases", STRING_OR_STRINGS),
        optional("cmd", STRING_OR_STRINGS),
        optional("volumes", _VOLUMES),
        optional("expose", EXPOSE),
        optional("gpu", BOOLEAN),
        optional("work_dir", STRING),
        optional("entrypoint", STRING_OR_STRINGS),
        optional("env", STRING_MAP),
        optional("restart_policy", _RESTART_POLICY),
        # The word is reserved in TypeScript, so the network's validator writes this one key in brackets.
        Field("private", BOOLEAN, required=False, suffix='["private"]'),
        optional("resources", RESOURCES),
        optional("authentication", _AUTHENTICATION),
    ),
    remedies={
        "required_vram": "state it as meta.system_requirements.required_vram",
        "output": "it belongs to older versions of the format, remove it",
        "name": "a volume's `name` does not go with `image`, remove one of them",
    },
)
_CREATE_VOLUME: Final = Record((Field("name", STRING),))

ARGS: Final = loosely_object_of(
    "an object with `image` (or `name`, for a volume)",
    # By the keys alone: the network's validator does not compare them with the type of the operation.
    Choice(
        ((has("image"), _RUN), (has("name"), _CREATE_VOLUME)),
        otherwise="`image` (to run a container) or `name` (to create a volume)",
        remedy="add the one that is meant",
    ),
)
