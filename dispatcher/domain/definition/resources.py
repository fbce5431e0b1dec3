"""The schema of `resources`: what a host fetches for a container before it starts."""

from typing import Final

from dispatcher.domain.definition.ecmascript import Kind
from dispatcher.domain.definition.exposure import SPREAD
from dispatcher.domain.definition.shapes import (
    BOOLEAN,
    STRING,
    STRINGS,
    Choice,
    Field,
    Record,
    Shape,
    Text,
    array_of,
    has,
    loosely_object_of,
    one_of,
    optional,
    says,
)

_REMOVE_IF_EMPTY: Final = "__remove-if-empty__"
_RESOURCE_WANTED: Final = (
    f'a resource, an object with `type` "S3", "HF" or "Ollama" (or "{_REMOVE_IF_EMPTY}")'
)

_IAM: Final = optional(
    "IAM",
    loosely_object_of(
        "an object with REGION, ACCESS_KEY_ID and SECRET_ACCESS_KEY",
        Record((Field("REGION", STRING), Field("ACCESS_KEY_ID", STRING), Field("SECRET_ACCESS_KEY", STRING))),
    ),
)
_BUCKETS: Final = array_of(
    "an array of objects with `url`",
    loosely_object_of("an object with `url`", Record((Field("url", STRING), optional("files", STRINGS)))),
)

# S3 in three forms that exclude each other: files below one URL, one bucket, several buckets.
_S3_FILES: Final = Record(
    (
        # Whatever has no other type is taken for this one.
        Field("type", one_of("S3", "HF", "Ollama")),
        Field("target", STRING),
        optional("url", STRING),
        optional("allowWrite", BOOLEAN),
        optional("files", STRINGS),
        _IAM,
    )
)
_S3_BUCKET: Final = Record(
    (
        Field("type", one_of("S3")),
        Field("target", STRING),
        Field("bucket", STRING),
        optional("url", STRING),
        optional("allowWrite", BOOLEAN),
        _IAM,
    ),
    remedies={"files": "files do not go with `bucket`: use `buckets` with `url` and `files`"},
)
_S3_BUCKETS: Final = Record(
    (
        Field("type", one_of("S3")),
        Field("target", STRING),
        Field("buckets", _BUCKETS),
        optional("url", STRING),
        optional("allowWrite", BOOLEAN),
        _IAM,
    ),
    remedies={"files": "files go into the elements of `buckets`: move them there"},
)
_HF: Final = Record(
    (
        Field("type", one_of("HF")),
        Field("target", STRING),
        Field("repo", STRING),
        optional("revision", STRING),
        optional("files", STRINGS),
        optional("accessToken", STRING),
    )
)
_OLLAMA: Final = Record((Field("type", one_of("Ollama")), Field("model", STRING), optional("target", STRING)))

_RESOURCE: Final = Choice(
    (
        (has("__spread__"), SPREAD),
        (has("bucket"), _S3_BUCKET),
        (has("buckets"), _S3_BUCKETS),
        (says("type", "HF"), _HF),
        (says("type", "Ollama"), _OLLAMA),
    ),
    otherwise=_S3_FILES,
)

RESOURCES: Final = array_of(
    "an array of resources",
    Shape(
        _RESOURCE_WANTED,
        {
            Kind.STRING: Text(
                _REMOVE_IF_EMPTY.__eq__, _RESOURCE_WANTED, remedy="write the resource as an object"
            ),
            Kind.OBJECT: _RESOURCE,
            Kind.ARRAY: _RESOURCE,
        },
    ),
)
