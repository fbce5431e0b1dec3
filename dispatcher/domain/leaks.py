"""The dispatcher's own secrets in a request: refused always, wherever they stand."""

import json
from collections.abc import Iterable, Iterator

from dispatcher.domain.definition.secrets import strings_of
from dispatcher.domain.faults import Fault
from dispatcher.domain.policies.written import as_document, leaves
from dispatcher.domain.request import JobRequest

_SHORTEST = 8
"""Characters. A shorter secret would be found in words that have nothing to do with it."""

LEAKS = (
    "holds one of the dispatcher's own secrets (an API key, the pinning token or a password of its settings), and "
    "nothing may carry those on: take it out, and replace that secret if others have seen it"
)


def own_secret_faults(request: JobRequest, secrets: Iterable[str]) -> tuple[Fault, ...]:
    """A fault for each place of `request` with one of `secrets` in it; `allow_secrets` does not allow these."""
    known = _worth_a_look(secrets)
    if not known:
        return ()
    whole = request.document().decode("utf-8", "replace") + request.spec().model_dump_json()
    if not any(_in_json(secret) in whole for secret in known):
        return ()
    paths = dict.fromkeys(path for path, text in _texts(request) if any(secret in text for secret in known))
    return tuple(Fault(path, LEAKS) for path in paths or ("request",))


def holds_own_secret(text: str, secrets: Iterable[str]) -> bool:
    """Whether JSON `text` holds one of the dispatcher's own `secrets`."""
    return any(_in_json(secret) in text for secret in secrets if len(secret) >= _SHORTEST)


def own_secret_places(definition: object, secrets: Iterable[str]) -> tuple[str, ...]:
    """The places of a parsed definition with one of `secrets` in it."""
    known = _worth_a_look(secrets)
    texts = strings_of(definition) if known else ()
    return tuple(dict.fromkeys(path for path, _, _, text in texts if any(secret in text for secret in known)))


def _worth_a_look(secrets: Iterable[str]) -> list[str]:
    return [secret for secret in secrets if len(secret) >= _SHORTEST]


def _in_json(secret: str) -> str:
    return json.dumps(secret, ensure_ascii=False)[1:-1]


def _texts(request: JobRequest) -> Iterator[tuple[str, str]]:
    yield from ((path, text) for path, _, _, text in strings_of(request.definition))
    yield "market", request.market
    yield "request_id", request.request_id or ""
    yield "account", request.account
    yield "node", request.node or ""
    yield from (("labels", f"{name}={text}") for name, text in request.labels.items())
    yield from (("labels", name) for name in request.labels)
    if request.callback is not None:
        yield "callback.task", request.callback.task
        yield "callback.queue", request.callback.queue or ""
        yield from (("callback.kwargs", f"{name}={value}") for name, value in request.callback.kwargs.items())
    for place, take in request.take.items():
        yield "take", f"{place}={take.field}"
    yield "policy", request.policy or ""
    yield from ((f"policies.{name}", str(value)) for name, value in leaves(as_document(request.policies)))
    yield from (("after", each.request_id or "") for each in request.after)
