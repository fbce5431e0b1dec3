"""Pinning and the gateway."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.simulator.cid import cid_of
from dispatcher.simulator.public_routes import file_of

JWT = "test-jwt"


def _pin(world: Any, raw: bytes, jwt: str | None = JWT) -> Any:
    return world.call("POST", "/pinning/pinJSONToIPFS", raw=raw, api_key=jwt)


def test_a_document_is_pinned_as_javascript_writes_it(world: Any) -> None:
    raw = '{ "b": 1.0, "10": "é", "a": [ ] }'.encode()
    content = '{"10":"é","b":1,"a":[]}'.encode()
    answer = _pin(world, raw).json()
    assert answer == {
        "IpfsHash": cid_of(content),
        "PinSize": len(content),
        "Timestamp": "2026-11-21T22:00:00.000Z",
    }
    assert _pin(world, content).json()["isDuplicate"] is True
    found = world.call("GET", f"/ipfs/{answer['IpfsHash']}", api_key=None)
    assert (found.body, found.headers["content-type"]) == (content, "application/json; charset=utf-8")


def test_a_lone_surrogate_survives(world: Any) -> None:
    cid = _pin(world, b'{"version":"0.1","type":"container","ops":[],"x":"\\ud83d"}').json()["IpfsHash"]
    assert world.call("GET", f"/ipfs/{cid}").body.endswith(b'"x":"\\ud83d"}')
    assert world.get(world.job(cid))["jobDefinition"]["x"] == "\ud83d"


def test_pinatas_own_wrapping_is_taken_off(world: Any) -> None:
    wrapped = _pin(world, b'{"pinataContent":{"a":1},"pinataMetadata":{"name":"x"}}').json()
    assert wrapped["IpfsHash"] == cid_of(b'{"a":1}')


@pytest.mark.parametrize("raw", [b"", b"{", b"NaN", b"5", b'"text"', b"[" * 100_000])
def test_what_cannot_be_pinned(world: Any, raw: bytes) -> None:
    refused = _pin(world, raw)
    assert (refused.status, refused.json()["error"]["reason"]) == (400, "INVALID_JSON")


@pytest.mark.parametrize("jwt", [None, "wrong"])
def test_pinning_needs_the_token(world: Any, jwt: str | None) -> None:
    refused = _pin(world, b"{}", jwt)
    assert (refused.status, refused.json()) == (
        401,
        {"error": {"reason": "INVALID_CREDENTIALS", "details": "Invalid/expired credentials"}},
    )


def _multipart(
    content: bytes, disposition: str = 'form-data; name="file"; filename="blob"'
) -> tuple[str, bytes]:
    other = b'--xYz\r\nContent-Disposition: form-data; name="other"\r\n\r\nvalue\r\n'
    head = f"--xYz\r\nContent-Disposition: {disposition}\r\nContent-Type: message/rfc822\r\n\r\n".encode()
    return "multipart/form-data; boundary=xYz", other + head + content + b"\r\n--xYz--\r\n"


@given(
    st.binary(max_size=200)
    | st.sampled_from([b"", b"\r\n", b"--xY", b"\r\n--", b"a\rb\nc\r\n", b"From: x\r\n\r\ny"])
)
def test_files_are_cut_out_of_a_multipart_body_to_the_byte(content: bytes) -> None:
    kind, body = _multipart(content)
    if b"\r\n--xYz" not in content:
        assert file_of(kind, body) == content


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"\x00\r\n\xff", "text/plain"), (b'{"a": 1}', "application/json"), (b"plain", "text/plain")],
)
def test_a_file_is_pinned_as_it_is(world: Any, content: bytes, kind: str) -> None:
    content_type, body = _multipart(content)
    headers = {"Content-Type": content_type}
    reply = world.call("POST", "/pinning/pinFileToIPFS", raw=body, api_key=JWT, headers=headers)
    assert (reply.json()["IpfsHash"], reply.json()["PinSize"]) == (cid_of(content), len(content))
    found = world.call("GET", f"/ipfs/{cid_of(content)}")
    assert (found.body, found.headers["content-type"].partition(";")[0]) == (content, kind)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"--x"),
        ("multipart/form-data; boundary=x", b""),
        _multipart(b"x", 'form-data; name="document"'),
    ],
)
def test_a_file_must_be_there(world: Any, content_type: str, body: bytes) -> None:
    headers = {"Content-Type": content_type}
    reply = world.call("POST", "/pinning/pinFileToIPFS", raw=body, api_key=JWT, headers=headers)
    assert (reply.status, reply.json()["error"]["reason"]) == (400, "INVALID_REQUEST")


def test_a_job_whose_definition_is_a_file_that_is_no_json_is_refused(world: Any) -> None:
    content_type, body = _multipart(b"not a definition")
    headers = {"Content-Type": content_type}
    cid = world.call("POST", "/pinning/pinFileToIPFS", raw=body, api_key=JWT, headers=headers).json()[
        "IpfsHash"
    ]
    assert world.wait(0).get(world.job(cid))["jobDefinition"] is None
    assert world.wait(100).ledger()["jobs"][0]["how"] == "refused by the host"


def test_the_gateway_knows_only_what_is_pinned(world: Any) -> None:
    unknown = world.call("GET", "/ipfs/QmbJWAESqCsf4RFCqEY7jecCashj8usXiyDNfKtZCwwzGb")
    assert (unknown.status, unknown.headers["content-type"]) == (404, "text/plain; charset=utf-8")
    assert world.call("GET", "/ipfs/nope").status == 400
