"""CIDs are those that IPFS gives: vectors from npm `ipfs-only-hash` 4.0.0."""

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain import cid
from dispatcher.domain.cid import CHUNK_BYTES, LINKS_PER_NODE, NULL_CID, cid_of, is_cid
from dispatcher.domain.definition import canonical_json

ONE_BLOCK = [
    (b"", "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"),
    (b"hello world\n", "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o"),
    (b"{}", "QmbJWAESqCsf4RFCqEY7jecCashj8usXiyDNfKtZCwwzGb"),
    ("\u00e9\u2713 unicode".encode(), "QmfMQ7KDpMiiyX7dxKjL4Q9XgkomG2qtYQZzT8QUVBQLzw"),
    (bytes([7]), "QmXC9WjuLo7EfydBdbWyvpGif62nrxbDCX2vcz9ZqLTQvV"),
    (bytes([7]) * 127, "QmRwDnZLcnV9egmFSLN6Yj6WNdJsJPGdRM36WU9MxCVtd8"),
    (bytes([7]) * 128, "QmW4XayXtPFPKcrUwgxK7MmjV3KjfHMBtSQcfZmrbAXmZy"),
    (bytes([2]) * 128, "QmRAYcWtrRgLq6zaecxgT644QhBy9yQnUBrJjbttj6Tx4v"),
    (bytes([7]) * 16383, "QmUcbc2r5SLwGBC2MCw1Pk3B3fpcn9jAsC9E59DT5rv69m"),
    (bytes([4]) * 16384, "QmcxYWpxVbEvKUmy6t3MyujxV9x9KTCq6H3ymfdBCiLeBB"),
    (bytes([7]) * CHUNK_BYTES, "QmdZX5QPxKncoo9HRjSpXVZcgsgYXWoa2WbY4sGses3Agx"),
]
TREES = [
    (CHUNK_BYTES + 1, "QmdVcgs73b1udsDUcFkodaKwpqzVbCivbBq7kujb5EX1Gv"),
    (2 * CHUNK_BYTES - 1, "QmThsbNxxx1aVKesn88Gmunrr9Ay4Hq1UN4k8VZxNqm29R"),
    (2 * CHUNK_BYTES, "QmP6Q1qMg4HtPu88FmtSN3CL4RLjygWhFmywKDy5GGA9TC"),
    (1 << 20, "QmQpna2o5se7YNxnd6yEJk5RyaZcYN7dLr94qvHsRPT3r2"),
    (LINKS_PER_NODE * CHUNK_BYTES, "Qmed9FjL7KtZb7kYrS4gDcunvmL8iQ5CRGgA7nSKKwt2Ge"),
    (LINKS_PER_NODE * CHUNK_BYTES + 1, "QmXeLACmWQhC5frVpS1QeoBeEDGJ3LEwzdyFZbevMwZ9uN"),
]
# Chunks of 10 bytes, 3 links a node (maxChunkSize, maxChildrenPerNode): levels that whole chunks would need
# gigabytes for. The content is 0, 1, 2, ... modulo 256.
DEEP_TREES = [
    (10, "QmeLs5MZxBaNXGPMRF2iiCiMT4Rur3TfRh83G6JbYWbpUr"),
    (11, "QmPsjqdQ6wFLh7p5HVWrSidsMvu2J6xionVgNzQ8gBGv83"),
    (30, "QmZTDmU68RdHTMxPsTtpt2MYZX8P6tY7cA4KLyCoDofYDU"),
    (31, "QmekPbfxkDjoLWEFWsdT1DGku9CcFzx8NMEXLVcsaPzYgq"),
    (90, "QmWAQyvsTEFiBS3FYtFnvhmfF7TXqaF6iMWTs1u4kQgZGn"),
    (91, "QmaJNBo7p8DL6oocDXeVbQi9LGUP9DuHiorakdMN6mjs2o"),
    (271, "QmQViFKiDNieB6sUx7NPi9yhN4UDbgBArUjU8bHEGv387B"),
    (500, "QmX8hHW1a1u3B73UCWyC6FxKMni8L2L4cofeaT3dBENd4d"),
]
PINNED_IN_PRODUCTION = {
    "ops": [
        {
            "id": "Pytorch",
            "args": {
                "cmd": [
                    *("jupyter", "lab", "--ip=0.0.0.0", "--port=8888", "--no-browser", "--allow-root"),
                    *("--ServerApp.token=''", "--ServerApp.password=''"),
                ],
                "gpu": True,
                "image": "docker.io/nosana/pytorch-jupyter:2.0.0",
                "expose": 8888,
            },
            "type": "container/run",
        }
    ],
    "meta": {"trigger": "deployment-manager", "system_requirements": {"required_vram": 4}},
    "type": "container",
    "version": "0.1",
    "deployment_id": "8hP5WVzxX8qQE9s6J7BkUxEsb1vQD5viiEZ1pKVXSQFH",
}


@pytest.mark.parametrize(("data", "expected"), ONE_BLOCK, ids=[str(len(data)) for data, _ in ONE_BLOCK])
def test_one_block(data: bytes, expected: str) -> None:
    assert cid_of(data) == expected


@pytest.mark.parametrize(("size", "expected"), TREES)
def test_trees_of_whole_chunks(size: int, expected: str) -> None:
    assert cid_of(bytes([7]) * size) == expected


@pytest.mark.parametrize(("size", "expected"), DEEP_TREES)
def test_trees_of_many_levels(monkeypatch: pytest.MonkeyPatch, size: int, expected: str) -> None:
    monkeypatch.setattr(cid, "CHUNK_BYTES", 10)
    monkeypatch.setattr(cid, "LINKS_PER_NODE", 3)
    assert cid_of(bytes(index % 256 for index in range(size))) == expected


def test_a_definition_that_production_pinned_has_its_cid() -> None:
    assert cid_of(canonical_json(PINNED_IN_PRODUCTION)) == "QmSnc95rCymC4LczSNn36xNH1NtfEBbRHYZ3LdAiiaceBo"


def test_the_null_cid_is_thirty_two_zero_bytes() -> None:
    assert base58.b58decode(NULL_CID) == bytes([0x12, 0x20]) + bytes(32)
    assert is_cid(NULL_CID)


@given(st.binary(max_size=200))
def test_what_is_computed_is_a_cid(data: bytes) -> None:
    assert is_cid(cid_of(data))


@given(st.binary(min_size=32, max_size=32))
def test_every_hash_makes_a_cid(digest: bytes) -> None:
    assert is_cid(base58.b58encode(b"\x12\x20" + digest).decode())


GOOD = "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Qm",
        GOOD[:-1],
        GOOD + "1",
        " " + GOOD[1:],
        GOOD[:-1] + " ",
        GOOD[:-1] + "0",  # 0, O, I and l are not in the alphabet
        GOOD[:-1] + "\u00e9",
        GOOD + "\n",
        GOOD.lower(),
        base58.b58encode(b"\x11\x20" + bytes(range(32))).decode(),
        base58.b58encode(b"\x12\x21" + bytes(range(32))).decode(),
        base58.b58encode(b"\x12\x20" + bytes(range(31))).decode(),
        base58.b58encode(b"\x12\x20" + bytes(range(33))).decode(),
        "1" * 46,
        "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
        "So11111111111111111111111111111111111111112",
    ],
)
def test_what_is_no_cid(text: str) -> None:
    assert not is_cid(text)
