"""What ties a job to other jobs, and to the application: what it comes after, what it takes, whom it calls."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from dispatcher.domain.names import Job, Name


class _Tie(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Upstream(_Tie):
    """A job that has to be over first: completed, or, with `on: any`, however it ended."""

    id: Job
    on: Literal["success", "any"] = "success"


class Take(_Tie):
    """Something of another job's end that goes into the definition.

    `job`: one of those it comes after. `field`: `result_cid`, `address`, `exit_code`, or a path into the host's
    result document, `result.opStates[0].results.answer`.
    """

    job: Job
    field: Annotated[str, Field(pattern=r"^(result_cid|address|exit_code|result(\.|\[).{1,500})$")] = (
        "result_cid"
    )


class Callback(_Tie):
    """A Celery task that is sent when the job is over, by its name, as `link` would: at least once, and each time
    under the same task id. May be written as the name alone."""

    task: Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[A-Za-z_][A-Za-z0-9_.\-]*$")]
    queue: Name | None = None
    kwargs: Annotated[dict[str, str | int | float | bool | None], Field(max_length=20)] = {}


def _id_alone(value: Any) -> Any:
    return {"id": value} if isinstance(value, str) else value


def _task_alone(value: Any) -> Any:
    return {"task": value} if isinstance(value, str) else value


After = Annotated[Upstream, BeforeValidator(_id_alone)]
CalledBack = Annotated[Callback, BeforeValidator(_task_alone)]
