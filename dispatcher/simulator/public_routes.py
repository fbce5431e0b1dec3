"""The calls about markets, and those of the pinning service and its gateway."""

import json
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from typing import Any
from urllib.parse import parse_qs

from dispatcher.simulator import javascript
from dispatcher.simulator.identifiers import is_cid
from dispatcher.simulator.job_routes import Ask
from dispatcher.simulator.markets import Market
from dispatcher.simulator.messages import JSON_TYPE, TEXT_TYPE, Refusal, Reply, json_reply, refuse


def markets(ask: Ask) -> Reply:
    """`markets.list`, filtered by `type`, `filterKey` with `filterValue`, and `limit`."""
    query = {name: values[-1] for name, values in parse_qs(ask.call.query).items()}
    found = [dict(market.document) for market in ask.network.markets.values()]
    if "type" in query:
        found = [document for document in found if document.get("type") == query["type"]]
    if "filterKey" in query and "filterValue" in query:
        found = [
            document for document in found if str(document.get(query["filterKey"])) == query["filterValue"]
        ]
    if query.get("limit", "").isdecimal():
        found = found[: int(query["limit"])]
    return json_reply(found)


def market(ask: Ask) -> Reply:
    """`markets.get`."""
    return json_reply(dict(_market(ask).document))


def required_resources(ask: Ask) -> Reply:
    """`markets.required_resources`."""
    document = _market(ask).document
    return json_reply(
        {name: document.get(name, []) for name in ("required_images", "required_remote_resources")}
    )


def pin(ask: Ask) -> Reply:
    """`pinJSONToIPFS` and `pinFileToIPFS`."""
    if ask.call.bearer() != ask.network.ipfs_jwt:
        raise _pinning_error(401, "INVALID_CREDENTIALS", "Invalid/expired credentials")
    store = ask.network.ipfs
    if ask.call.path.rstrip("/").endswith("pinFileToIPFS"):
        content = file_of(ask.call.headers.get("content-type", ""), ask.call.body)
        if content is None:
            raise _pinning_error(400, "INVALID_REQUEST", "The multipart field 'file' is missing")
        cid, size, known = store.pin_file(content)
    else:
        cid, size, known = store.pin_document(_document(ask.call.body))
    moment = datetime.fromtimestamp(ask.now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    answer: dict[str, Any] = {"IpfsHash": cid, "PinSize": size, "Timestamp": moment}
    if known:
        answer["isDuplicate"] = True
    return json_reply(answer)


def retrieve(ask: Ask) -> Reply:
    """The gateway: the bytes of a CID, as JSON if they are JSON and else as text. It asks for no key."""
    cid = ask.route.target
    if not is_cid(cid):
        return Reply(400, {"content-type": TEXT_TYPE}, b"invalid cid")
    found = ask.network.ipfs.get(cid)
    if found is None:
        return Reply(404, {"content-type": TEXT_TYPE}, b"no content found for this cid")
    content, is_json = found
    return Reply(200, {"content-type": JSON_TYPE if is_json else TEXT_TYPE}, content)


def file_of(content_type: str, body: bytes) -> bytes | None:
    """The bytes of the field `file` of a multipart body, exactly; None if there is none.

    The parser of the standard library reads the headers; the body is cut at its boundaries here, because that
    parser takes a part's content apart by its type and lines.
    """
    boundary = BytesHeaderParser().parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode()).get_boundary()
    if boundary is None:
        return None
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:]:
        head, blank, content = part.partition(b"\r\n\r\n")
        disposition = BytesHeaderParser().parsebytes(head.lstrip() + b"\r\n\r\n")
        if blank and disposition.get_param("name", header="content-disposition") == "file":
            return content
    return None


def _document(body: bytes) -> Any:
    try:
        document = javascript.parse(body)
    except (json.JSONDecodeError, UnicodeDecodeError, ValueError, RecursionError):
        raise _pinning_error(400, "INVALID_JSON", "The body is not valid JSON") from None
    if not isinstance(document, dict | list):
        raise _pinning_error(400, "INVALID_JSON", "The body must be an object or an array")
    wrapped = document.get("pinataContent") if isinstance(document, dict) else None
    return document if wrapped is None else wrapped


def _pinning_error(status: int, reason: str, details: str) -> Refusal:
    return Refusal(status, {"error": {"reason": reason, "details": details}})


def _market(ask: Ask) -> Market:
    found = ask.network.markets.get(ask.route.target)
    if found is None:
        raise refuse(404, "Market not found")
    return found
