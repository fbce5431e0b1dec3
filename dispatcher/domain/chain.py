"""What ties a job to other jobs, and to the application: what it comes after, what it takes, whom it calls."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from dispatcher.domain.errors import Bug
from dispatcher.domain.ids import JobId
from dispatcher.domain.names import Job, Name

OWN_QUEUE = "dispatcher"
"""Where the dispatcher's own messages travel."""

_LONGEST_TEXT = 2000
"""Characters of one value that a callback carries."""

RequestId = Annotated[str, Field(min_length=1, max_length=200)]


class _Tie(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Upstream(_Tie):
    """A job that has to be over first: completed, or, with `on: any`, however it ended.

    It is named by its `id`; or by its `request_id`, of a job that is kept, or of an earlier request of the same call.
    """

    id: Job | None = None
    request_id: RequestId | None = None
    on: Literal["success", "any"] = "success"

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        if (self.id is None) == (self.request_id is None):
            raise ValueError("needs either the job's id or its request_id")
        return self

    @property
    def job(self) -> JobId:
        """Its id. Raises `Bug` before intake has found it out."""
        return _known(self.id)


class Take(_Tie):
    """Something of another job's end that goes into the definition.

    `job`, or `request_id`: one of those it comes after. `field`: `result_cid`, `address`, `exit_code`, or a path into
    the host's result document, `result.opStates[0].results.answer`.
    """

    job: Job | None = None
    request_id: RequestId | None = None
    field: Annotated[str, Field(pattern=r"^(result_cid|address|exit_code|result(\.|\[).{1,500})$")] = (
        "result_cid"
    )

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        if (self.job is None) == (self.request_id is None):
            raise ValueError("needs either the job's id (job) or its request_id")
        return self

    @property
    def source(self) -> JobId:
        """The job's id. Raises `Bug` before intake has found it out."""
        return _known(self.job)


def _task(value: str) -> str:
    if value.startswith("dispatcher."):
        raise ValueError("is one of the dispatcher's own tasks: name a task of your application")
    return value


def _queue(value: str | None) -> str | None:
    if value == OWN_QUEUE:
        raise ValueError("is the dispatcher's own queue: name one that your application's workers listen to")
    return value


def _plain(value: Any) -> Any:
    """What JSON can hold, and what whoever receives it can read. Said in one sentence, not once for each type."""
    match value:
        case None | bool():
            return value
        case str() if any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError("holds half of a character (a lone surrogate): write whole characters")
        case str() if len(value) <= _LONGEST_TEXT:
            return value
        case int() if -(2**63) <= value < 2**63:
            return value
        case float() if math.isfinite(value):
            return value
        case str():
            raise ValueError(f"is longer than {_LONGEST_TEXT} characters")
        case int() | float():
            raise ValueError("is no number of 64 bits: write it as text")
        case _:
            raise ValueError("must be text, a number, true, false or null")


class Callback(_Tie):
    """A Celery task that is sent when the job is over, by its name, as `link` would: at least once, and each time
    under the same task id. May be written as the name alone.

    `queue`: where the application's workers listen; left out, the one that the dispatcher's settings name.
    """

    task: Annotated[
        str,
        Field(min_length=1, max_length=300, pattern=r"^[A-Za-z_][A-Za-z0-9_.\-]*$"),
        AfterValidator(_task),
    ]
    queue: Annotated[Name | None, AfterValidator(_queue)] = None
    kwargs: Annotated[
        dict[
            Annotated[str, Field(max_length=100)],
            Annotated[str | int | float | bool | None, BeforeValidator(_plain)],
        ],
        Field(max_length=20),
    ] = {}


def _known(job_id: JobId | None) -> JobId:
    if job_id is None:
        raise Bug("a job that is named by its request id has to be found out at intake")
    return job_id


def _id_alone(value: Any) -> Any:
    return {"id": value} if isinstance(value, str) else value


def _task_alone(value: Any) -> Any:
    return {"task": value} if isinstance(value, str) else value


After = Annotated[Upstream, BeforeValidator(_id_alone)]
CalledBack = Annotated[Callback, BeforeValidator(_task_alone)]
