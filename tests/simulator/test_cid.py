"""CIDs against those that the common importer gives."""

import pytest

from dispatcher.simulator import javascript
from dispatcher.simulator.cid import cid_of
from dispatcher.simulator.identifiers import derived_address, is_address, is_cid

_PRODUCTION = (
    '{"ops":[{"id":"Pytorch","args":{"cmd":["jupyter","lab","--ip=0.0.0.0","--port=8888","--no-browser",'
    '"--allow-root","--ServerApp.token=\'\'","--ServerApp.password=\'\'"],"gpu":true,'
    '"image":"docker.io/nosana/pytorch-jupyter:2.0.0","expose":8888},"type":"container/run"}],'
    '"meta":{"trigger":"deployment-manager","system_requirements":{"required_vram":4}},"type":"container",'
    '"version":"0.1","deployment_id":"8hP5WVzxX8qQE9s6J7BkUxEsb1vQD5viiEZ1pKVXSQFH"}'
)


@pytest.mark.parametrize(
    ("content", "cid"),
    [
        (b"", "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"),
        (b"hello world\n", "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o"),
        (b"{}", "QmbJWAESqCsf4RFCqEY7jecCashj8usXiyDNfKtZCwwzGb"),
        ("é✓ unicode".encode(), "QmfMQ7KDpMiiyX7dxKjL4Q9XgkomG2qtYQZzT8QUVBQLzw"),
        (b"\x02" * 128, "QmRAYcWtrRgLq6zaecxgT644QhBy9yQnUBrJjbttj6Tx4v"),
        (b"\x04" * 16384, "QmcxYWpxVbEvKUmy6t3MyujxV9x9KTCq6H3ymfdBCiLeBB"),
        (b"\x07" * 262144, "QmdZX5QPxKncoo9HRjSpXVZcgsgYXWoa2WbY4sGses3Agx"),
        (_PRODUCTION.encode(), "QmSnc95rCymC4LczSNn36xNH1NtfEBbRHYZ3LdAiiaceBo"),
        # Beyond one block: a root over two, over three, over 174 blocks, and a tree two levels high.
        (b"x" * 262145, "QmTSZuGYUpVrhMmC4duxRJbPtKXTUZyx73oebV8oRMiDTs"),
        (b"x" * 700000, "QmdtABoSiQ2GoTTTNCxeEQjkYTAQWDecectyVRHuSnwWGe"),
        (b"x" * (174 * 262144), "QmQGPUfmRJtaxR9CmbSkMS1opRH3pM93Q3Hraf2tyX7b7q"),
        (b"x" * (174 * 262144 + 1), "QmQNYit1DauxZmLLQSrUGSgyV2Nxru19behgrzTcw6zVyo"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
def test_known_vectors(content: bytes, cid: str) -> None:
    assert cid_of(content) == cid
    assert is_cid(cid)


def test_a_production_definition_keeps_its_bytes_through_parsing() -> None:
    assert javascript.stringify(javascript.parse(_PRODUCTION)) == _PRODUCTION


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("11111111111111111111111111111111", True),
        ("7AtiXMSH6R1jjBxrcYjehCkkSF7zvYWte63gwEDBcGHq", True),
        (derived_address("x"), True),
        ("7AtiXMSH6R1jjBxrcYjehCkkSF7zvYWte63gwEDB", False),
        ("0AtiXMSH6R1jjBxrcYjehCkkSF7zvYWte63gwEDBcGHq", False),
        ("", False),
        ("{address}", False),
    ],
)
def test_addresses_are_32_bytes_of_base58(text: str, expected: bool) -> None:
    assert is_address(text) is expected


@pytest.mark.parametrize(
    "text", ["", "QmSnc95", "Qm" + "1" * 44, "QmSnc95rCymC4LczSNn36xNH1NtfEBbRHYZ3LdAiiaceB0", "1" * 46]
)
def test_what_is_no_cid(text: str) -> None:
    assert not is_cid(text)
