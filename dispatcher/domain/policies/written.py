"""Policies as people write them: in parts, in short forms, one upon another. Pure data, in JSON's values.

A part says only some fields, `{"extend": {"max_cost": "5"}}`; null takes away what is said below it. A part is laid
upon whole policies as a JSON merge patch is (RFC 7396), and only what comes of that has to be whole.
"""

import types
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Final, Optional, Union, cast, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError, create_model

from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.faults import Fault, faults_of
from dispatcher.domain.names import Name
from dispatcher.domain.policies.fields import Policy
from dispatcher.domain.policies.whole import KINDS, Policies, by_kind

PolicySets = Mapping[str, Mapping[str, Any]]
"""Named sets of policies, each as `as_part` gives it, and whole."""

LARGEST_PART = 65_536
"""Characters of a part as compact JSON."""

_UNKNOWN: Final = "a policy; see docs/policies.md for those that are"


def merged(base: Any, patch: Any) -> Any:
    """`patch` laid upon `base`, as RFC 7396 says: objects field by field, null takes away, all else replaces."""
    if not isinstance(patch, Mapping):
        return patch
    found = dict(base) if isinstance(base, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found


def composed(first: Any, second: Any) -> Any:
    """One part that does what `first` does, and then `second`: null stays, to take away what is below both."""
    if not isinstance(second, Mapping) or not isinstance(first, Mapping):
        return second
    found = dict(first)
    for name, value in second.items():
        found[name] = composed(found[name], value) if name in found else value
    return found


def whole(document: Any, path: str = "policies") -> Policies:
    """The policies in `document`. Raises `InvalidRequest` with every fault; their paths begin with `path`."""
    try:
        return Policies.model_validate(document)
    except ValidationError as e:
        faults = faults_of(e, path, _UNKNOWN, within=path)
    # Outside of the handler: pydantic's error bears what was written.
    raise InvalidRequest(faults)


def as_part(written: Any, path: str = "policies") -> dict[str, Any]:
    """What `written` says, in one form: an object by kinds, durations as `30m`, amounts as text; null stays.

    Raises `InvalidRequest` with every fault of a single field; whether it is whole is not asked.
    """
    try:
        part = _Part.model_validate(as_object(written))
    except ValidationError as e:
        faults = faults_of(e, path, _UNKNOWN, within=path)
    except ValueError as e:
        faults = [Fault(path, str(e))]
    else:
        return part.model_dump(mode="json", exclude_unset=True)
    raise InvalidRequest(faults)


def as_object(written: Any) -> Any:
    """Lists of policies, policies made in Python and a quantum's step alone, as one object by kinds, not checked.

    Raises ValueError for a list that is none of policies.
    """
    if isinstance(written, BaseModel):
        return written.model_dump(mode="json", exclude_unset=True)
    if isinstance(written, Sequence) and not isinstance(written, str):
        return as_object(by_kind([_fields(policy) for policy in written]))
    if not isinstance(written, Mapping):
        return written
    found = {name: _fields(policy) for name, policy in written.items()}
    if isinstance(step := found.get("quantum"), str | timedelta):
        found["quantum"] = {"step": step}
    return found


def as_document(policies: Policies) -> dict[str, Any]:
    """Whole policies in the same form: what a part is laid upon."""
    return policies.model_dump(mode="json", exclude_none=True)


def said(policies: Policies) -> dict[str, Any]:
    """The same without what is left at its default, and without the kinds' own names: for people."""
    found = policies.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    for name in KINDS:
        if found.get(name) is not None:
            found[name].pop("kind", None)
    # Where there is none by default, one with nothing but defaults says that there is one.
    optional = {name for name, field in Policies.model_fields.items() if field.default is None}
    return {name: value for name, value in found.items() if value != {} or name in optional}


def leaves(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every single field with its dotted name: `extend.max_cost`. A list is one field."""
    for name, value in document.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def differences(before: Policies, after: Policies) -> tuple[str, ...]:
    """The dotted names of the fields that are not the same; sorted."""
    old, new = dict(leaves(as_document(before))), dict(leaves(as_document(after)))
    return tuple(
        sorted(name for name in {*old, *new} if old.get(name) != new.get(name) and not name.endswith(".kind"))
    )


def parse_sets(document: Any) -> dict[str, dict[str, Any]]:
    """Named sets from decoded YAML, TOML or JSON: an object of names, each with whole policies.

    Raises `InvalidRequest` with the faults of all sets.
    """
    if not isinstance(document, Mapping):
        raise InvalidRequest([Fault("policies", "must be an object: the name of each set, and its policies")])
    sets: dict[str, dict[str, Any]] = {}
    faults: list[Fault] = []
    for name, written in document.items():
        try:
            _NAMES.validate_python(name)
        except ValidationError as e:
            faults += [Fault(str(name)[:80], fault.message) for fault in faults_of(e, "", _UNKNOWN)]
            continue
        if name in KINDS:
            message = "is a kind of policy, not the name of a set: put it under the name of one"
            faults.append(Fault(name, message))
            continue
        try:
            whole(_without_nulls(as_part(written, name)), name)
        except InvalidRequest as e:
            faults += e.faults
        else:
            sets[name] = _without_nulls(as_part(written, name))
    if faults:
        raise InvalidRequest(faults)
    return sets


def unknown_set(name: str, sets: PolicySets) -> Fault:
    """There is no set of this name."""
    if not sets:
        way_out = "none are known here: DISPATCHER_POLICIES_FILE names the file that holds them"
    else:
        way_out = f"there are: {', '.join(sorted(sets))}"
    return Fault("policy", f"there is no set of policies {name!r}; {way_out}")


def _fields(policy: Any) -> Any:
    if isinstance(policy, BaseModel):
        # The kind is not said by whoever made it, and tells it from the others in a list.
        return policy.model_dump(mode="json", exclude_unset=True) | {"kind": getattr(policy, "kind", None)}
    return policy


def _without_nulls(document: dict[str, Any]) -> dict[str, Any]:
    return cast(dict[str, Any], merged({}, document))


def _part_of(model: type[Policy]) -> type[Policy]:
    """The same policy with every field optional, and so down to single fields."""
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        nested = _policy_in(field.annotation)
        kind: Any = field.annotation
        if nested is not None:
            kind = _part_of(nested)
        elif field.metadata:
            kind = cast(Any, Annotated)[(field.annotation, *field.metadata)]
        fields[name] = (cast(Any, Optional)[kind], None)
    return create_model(model.__name__, __base__=Policy, **fields)


def _policy_in(annotation: Any) -> type[Policy] | None:
    """The policy in `ExtendPolicy`, `ExtendPolicy | None`, or either with a validator; None for anything else."""
    if isinstance(annotation, type) and issubclass(annotation, Policy):
        return annotation
    origin = get_origin(annotation)
    if origin is Annotated:
        return _policy_in(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        found = [_policy_in(option) for option in get_args(annotation) if option is not type(None)]
        return found[0] if len(found) == 1 else None
    return None


_NAMES = TypeAdapter(Name)
_Part = _part_of(Policies)
