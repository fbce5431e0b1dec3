"""Jobs after jobs: when one may begin, and what it takes over."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.chain import Take, Upstream
from dispatcher.domain.chaining import (
    GONE,
    UNREADABLE,
    UNREADABLE_OVER,
    Barred,
    Filled,
    Over,
    Pending,
    Seen,
    Source,
    document_of,
    fill,
    own_secret_in,
    standing,
)
from dispatcher.domain.definition import canonical_json, read_stamp, validate_definition
from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.ids import JobId
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.request import DEFINITION_AT_MOST
from dispatcher.domain.words import FINAL_STATES, Reason, State
from tests.domain.made import CID, DEFINITION, ended, job_in, new_job, request, running_job

A, B, C, D = (JobId(f"job_{number:024x}") for number in range(10, 14))
ENV = "definition.ops[0].args.env"
TOKEN = "hf_" + "ZqWxEcRvTbYnUmIkOlPaSdFgHjKlQwErTy"


def after(*names: JobId, on: str = "success") -> tuple[Upstream, ...]:
    return tuple(Upstream.model_validate({"id": name, "on": on}) for name in names)


def seen(job: Job) -> Seen:
    return Seen(job, over=job.state.is_final)


def definition(**env: Any) -> dict[str, Any]:
    made = copy.deepcopy(DEFINITION)
    made["ops"][0]["args"]["env"] = env
    return made


def over(state: State = State.COMPLETED, **ending: Any) -> Job:
    job = running_job()
    event = ended(state, at=job.updated_at)
    return apply(job, event.model_copy(update={"ending": event.ending.model_copy(update=ending)}))


def take(field: str = "result_cid", job: JobId = A) -> Take:
    return Take(job=job, field=field)


def filled(places: dict[str, Take], before: dict[str, Any], source: Source) -> Filled | Barred:
    return fill(before, places, {A: source})


# --- when it may begin ------------------------------------------------------------------------------------


@pytest.mark.parametrize("on", ["success", "any"])
@pytest.mark.parametrize("state", list(State))
def test_one_upstream_in_each_state(state: State, on: str) -> None:
    job = job_in(state)
    verdict = standing(after(A, on=on), {A: seen(job)})
    if state not in FINAL_STATES:
        assert verdict == Pending(f"waits for {A} ({state}, {job.reason})")
    elif state is State.COMPLETED or on == "any":
        assert verdict == Over()
    else:
        assert verdict == Barred(
            Reason.UPSTREAM, f"{A} ended {state} ({job.reason}), and this job comes after its success"
        )


@pytest.mark.parametrize(
    ("found", "on", "verdict"),
    [
        (GONE, "any", Over),
        (GONE, "success", Barred),
        (UNREADABLE, "any", Pending),
        (UNREADABLE, "success", Pending),
        (UNREADABLE_OVER, "any", Over),
        (UNREADABLE_OVER, "success", Barred),
    ],
)
def test_an_upstream_without_a_record(found: Seen, on: str, verdict: type) -> None:
    assert isinstance(standing(after(A, on=on), {A: found}), verdict)


def test_an_upstream_that_ends_wrong_bars_at_once_and_the_wait_names_few() -> None:
    waiting, failed = seen(new_job()), seen(job_in(State.FAILED))
    assert isinstance(standing(after(A, B), {A: waiting, B: failed}), Barred)
    five = [A, B, C, D, JobId("job_" + "e" * 24)]
    found = standing(after(*five), dict.fromkeys(five, waiting))
    assert isinstance(found, Pending)
    assert found.detail.endswith("and 2 more")
    dead = Seen(new_job(), over=False, word="a dead letter")
    assert standing(after(A), {A: dead}) == Pending(f"waits for {A} (enqueued, new; a dead letter)")


KINDS = st.sampled_from(
    [seen(job_in(state)) for state in State] + [GONE, UNREADABLE, UNREADABLE_OVER]
)  # fmt: skip


@given(st.dictionaries(st.sampled_from([A, B, C, D]), st.tuples(KINDS, st.sampled_from(["success", "any"]))))
def test_a_job_begins_only_when_all_are_over_as_they_had_to(ups: dict[JobId, tuple[Seen, str]]) -> None:
    verdict = standing(
        tuple(Upstream.model_validate({"id": name, "on": on}) for name, (_, on) in ups.items()),
        {name: found for name, (found, _) in ups.items()},
    )
    wrong = [
        name
        for name, (found, on) in ups.items()
        if on == "success" and found.over and (found.job is None or found.job.state is not State.COMPLETED)
    ]
    if wrong:
        assert isinstance(verdict, Barred)
    elif all(found.over for found, _ in ups.values()):
        assert verdict == Over()
    else:
        assert isinstance(verdict, Pending)


# --- what a request may say -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ({"after": ["job_1"]}, "after.0.id", "not the id of a job"),
        ({"after": [{}]}, "after.0", "either the job's id or its request_id"),
        ({"after": [{"id": A, "request_id": "a"}]}, "after.0", "either the job's id or its request_id"),
        ({"after": [A, A]}, "after[1]", "once is enough"),
        ({"after": [A, {"id": B, "on": "failure"}]}, "after.1.on", "Input should be"),
        ({"after": [A] * 51}, "after", "at most 50"),
        ({"take": {f"{ENV}.X": {"job": A}}}, f'take["{ENV}.X"]', "name that job in after"),
        ({"after": [A], "take": {f"{ENV}.X": {"request_id": "a"}}}, f'take["{ENV}.X"]', "in after"),
        ({"after": [A], "take": {f"{ENV}.X": {"job": A, "field": "secrets"}}}, None, "match pattern"),
        ({"after": [A], "take": {f"{ENV}.X": {"job": A, "field": "result.a-b"}}}, None, "is no place"),
        ({"after": [A], "take": {f"{ENV}.X.Y": {"job": A}}}, f'take["{ENV}.X.Y"]', "is not in the"),
        ({"after": [A], "take": {"definition.ops[1]": {"job": A}}}, 'take["definition.ops[1]"]', "is not in"),
        ({"after": [A], "take": {"definition": {"job": A}}}, 'take["definition"]', "is no place"),
        ({"after": [A], "take": {ENV: {"job": A}, f"{ENV}.X": {"job": A}}}, f'take["{ENV}.X"]', "lies in"),
        ({"callback": "a b"}, "callback.task", "match pattern"),
        ({"callback": "dispatcher.stop"}, "callback.task", "dispatcher's own tasks"),
        ({"callback": {"task": "a", "queue": "dispatcher"}}, "callback.queue", "own queue"),
        ({"callback": {"task": "a", "kwargs": {"x": float("inf")}}}, "callback.kwargs.x", "no number of 64"),
        ({"callback": {"task": "a", "kwargs": {"x": 10**5000}}}, "callback.kwargs.x", "write it as text"),
        ({"callback": {"task": "a", "kwargs": {"x": [1]}}}, "callback.kwargs.x", "must be text, a number"),
        ({"callback": {"task": "a", "kwargs": {"x": "y" * 2001}}}, "callback.kwargs.x", "2000 characters"),
        ({"callback": {"task": "a", "kwargs": {"x": "\ud800"}}}, "callback.kwargs.x", "half of a"),
        ({"callback": {"task": "a", "kwargs": {"x": TOKEN}}}, "callback.kwargs.x", "looks like a secret"),
    ],
)
def test_wrong_ties_are_refused_where_they_stand(
    fields: dict[str, Any], path: str | None, message: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        request(definition=definition(), **fields)
    found = [fault for fault in refused.value.faults if path in (None, fault.path)]
    assert "kwargs" not in str(path) or len(refused.value.faults) == 1, "said once"
    assert any(message in fault.message for fault in found), refused.value.faults
    assert TOKEN not in str(refused.value)


def test_ties_are_part_of_what_was_asked_for() -> None:
    plain = request(definition=definition())
    tied = request(definition=definition(), after=[A], callback="app.ended")
    assert tied.after == after(A)
    assert tied.callback is not None
    assert tied.callback.task == "app.ended"
    other = request(definition=definition(), after=[B], callback="app.ended")
    assert len({each.fingerprint() for each in (plain, tied, other)}) == 3


# --- what it takes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "before", "value"),
    [
        ("result_cid", "", CID),
        ("address", "", running_job().remote.address),  # type: ignore[union-attr]
        ("exit_code", "", "0"),
        ("result.text", "", "ä\nb"),
        ("result.number", "text stood here", "1.5"),
        ("result.flag", "", "true"),
        ("result.nothing", "", "null"),
        ("result.list[1]", "", "2"),
        ("result.list", "", '[1,2,{"a":"b"}]'),
        ('result["a b"].c', "", "deep"),
    ],
)
def test_where_text_stood_everything_becomes_text(field: str, before: str, value: str) -> None:
    job = over(result_cid=CID, exit_code=0)
    result = {
        "text": "ä\nb",
        "number": 1.5,
        "flag": True,
        "nothing": None,
        "list": [1, 2, {"a": "b"}],
        "a b": {"c": "deep"},
    }
    answer = filled({f"{ENV}.X": take(field)}, definition(X=before, Y="y"), Source(job, result))
    assert isinstance(answer, Filled), answer
    assert answer.taken == (f"{ENV}.X",)
    assert answer.definition == definition(X=value, Y="y")


def test_elsewhere_it_stays_json() -> None:
    place = "definition.ops[0].args.cmd"
    before = definition()
    before["ops"][0]["args"]["cmd"] = ["echo", "x"]
    answer = filled({place: take("result.argv")}, before, Source(over(), {"argv": ["ls", "-l"]}))
    assert isinstance(answer, Filled)
    assert answer.definition["ops"][0]["args"]["cmd"] == ["ls", "-l"]


@pytest.mark.parametrize(
    ("field", "source", "says"),
    [
        ("result_cid", Source(over(), {}), "is not there"),
        ("exit_code", Source(over(exit_code=None), {}), "is not there"),
        ("address", Source(apply(new_job(), ended(State.REJECTED)), {}), "ended rejected"),
        ("result.x", Source(over(), None), "no result of that job was kept"),
        ("result.x", Source(over(), {"y": 1}), "is not in the result"),
        ("result.x", Source(over(), {"dispatcher": "too large"}), "too large to be kept whole"),
        ("result.x[0]", Source(over(), {"x": "text"}), "is not in the result"),
        ("result.x", Source(over(), {"x": float("nan")}), "no finite number"),
        ("result_cid", Source(None, None), "no record of that job"),
    ],
)
def test_what_is_not_there_cannot_be_taken(field: str, source: Source, says: str) -> None:
    answer = filled({f"{ENV}.X": take(field)}, definition(X=""), source)
    assert isinstance(answer, Barred)
    assert answer.reason is Reason.UNFIT_RESULT
    assert says in answer.detail


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        (f"{ENV}.NEW", 7, f"does not take a number at {ENV}.NEW"),
        (f"{ENV}.NEW", {"hunter2": 1}, "does not take this object"),
        ("definition.ops[0].args.env", "hunter2", "does not take this text"),
        ("definition.ops[0].args.expose", "hunter2", "does not take this text"),
        ("definition.type", "hunter2", "is none that the network takes|does not take this text"),
    ],
)
def test_what_the_network_would_not_take_is_refused_without_showing_it(
    place: str, value: object, says: str
) -> None:
    before = definition()
    if place == "definition.ops[0].args.env":
        before["ops"][0]["args"]["env"] = {}
    answer = filled({place: take("result.x")}, before, Source(over(), {"x": value}))
    assert isinstance(answer, Barred), answer
    assert any(part in answer.detail for part in says.split("|")), answer.detail
    assert "hunter2" not in answer.detail


@pytest.mark.parametrize(
    ("name", "value"),
    [("X", TOKEN), ("X", f"run --with {TOKEN} now"), ("PASSWORD", "Tr0ub4dor&3"), ("X", {"a": [TOKEN]})],
)
def test_a_secret_in_a_result_is_never_put_where_everybody_can_read_it(name: str, value: object) -> None:
    source = Source(over(), {"x": value})
    answer = filled({f"{ENV}.{name}": take("result.x")}, definition(**{name: ""}), source)
    assert isinstance(answer, Barred)
    assert answer.reason is Reason.UNFIT_RESULT
    assert f"{ENV}.{name} looks like a secret" in answer.detail
    assert TOKEN not in answer.detail
    assert "Tr0ub4dor" not in answer.detail


def test_a_secret_that_was_allowed_stays_but_lends_its_place_to_no_other() -> None:
    before = definition(KEPT=TOKEN, X="")
    fine = filled({f"{ENV}.X": take("result.x")}, before, Source(over(), {"x": "y"}))
    assert isinstance(fine, Filled)
    other = "hf_" + TOKEN[:2:-1]
    taken = filled({f"{ENV}.KEPT": take("result.x")}, before, Source(over(), {"x": other}))
    assert isinstance(taken, Barred)


def test_what_the_network_shows_to_everybody_is_no_secret_whatever_it_is_called() -> None:
    answer = filled({f"{ENV}.API_KEY": take()}, definition(API_KEY=""), Source(over(result_cid=CID), None))
    assert isinstance(answer, Filled)


def test_own_secrets_are_looked_for_everywhere() -> None:
    assert own_secret_in(definition(A="nothing"), ["nos_own_secret"]) is None
    found = own_secret_in(definition(A="x nos_own_secret y"), ["nos_own_secret"])
    assert found is not None
    assert f"{ENV}.A" in found.detail
    assert "nos_own_secret" not in found.detail


def test_the_bytes_bear_the_stamp_where_the_job_has_one_and_are_not_too_many() -> None:
    job = new_job()
    assert document_of(definition(), job) == canonical_json(definition())
    stamped = document_of(definition(), job.model_copy(update={"stamped": True}))
    assert isinstance(stamped, bytes)
    assert job.id.encode() in stamped
    assert read_stamp(definition()) is None
    large = document_of(definition(X="x" * DEFINITION_AT_MOST), job)
    assert isinstance(large, Barred)
    assert str(DEFINITION_AT_MOST) in large.detail


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=40),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    ),
    st.sampled_from([f"{ENV}.X", f"{ENV}.NEW", "definition.ops[0].args.cmd", "definition.ops[0]", "definition.meta"]),
)  # fmt: skip
def test_whatever_a_result_holds_the_answer_is_a_valid_definition_or_a_reason(
    value: object, place: str
) -> None:
    before = definition(X="")
    written = canonical_json(before)
    answer = filled({place: take("result.x")}, before, Source(over(), {"x": value}))
    assert canonical_json(before) == written
    if isinstance(answer, Filled):
        assert not validate_definition(answer.definition)
        canonical_json(answer.definition)
    else:
        assert answer.reason is Reason.UNFIT_RESULT
