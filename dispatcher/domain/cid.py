"""Content identifiers: the name under which IPFS keeps a document, computed from its bytes alone.

Version 0 throughout (`Qm...`): UnixFS in dag-pb, SHA-256, base58btc, chunks of 262144 bytes in a balanced
tree of at most 174 links a node, leaves wrapped (not raw): what `ipfs add` and Pinata do without options
(docs/nosana.md, CID).
"""

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple, NewType, TypeGuard

import base58

Cid = NewType("Cid", str)
"""A CIDv0: 46 characters of base58 that stand for `12 20` and 32 bytes of SHA-256."""

NULL_CID: Final = Cid("QmNLei78zWmzUdbeRB3CiUfAizWUrbeeZh5K1rhAQKCh51")
"""32 zero bytes: how the chain writes "no result yet". The job record may say null or this."""

CHUNK_BYTES: Final = 262_144
LINKS_PER_NODE: Final = 174

_SHA2_256: Final = bytes([0x12, 0x20])
_TEXT_LENGTH: Final = 46  # every 34 bytes that begin with 12 20 come to 46 characters


class _Node(NamedTuple):
    """A block of the tree. `file_bytes`: content below it; `tree_bytes`: this block and all below it."""

    multihash: bytes
    file_bytes: int
    tree_bytes: int


def cid_of(data: bytes) -> Cid:
    """The CID under which IPFS pins `data`, whatever its size."""
    nodes = [_leaf(data[at : at + CHUNK_BYTES]) for at in range(0, len(data), CHUNK_BYTES)] or [_leaf(b"")]
    while len(nodes) > 1:
        nodes = [_parent(nodes[at : at + LINKS_PER_NODE]) for at in range(0, len(nodes), LINKS_PER_NODE)]
    return Cid(base58.b58encode(nodes[0].multihash).decode("ascii"))


def is_cid(text: str) -> TypeGuard[Cid]:
    """Whether `text` is a CIDv0: decodes to 34 bytes that begin with `12 20`. CIDv1 (`bafy...`) is not."""
    if len(text) != _TEXT_LENGTH or not text.isascii():
        return False
    try:
        decoded = base58.b58decode(text)
    except ValueError:
        return False
    return len(decoded) == len(_SHA2_256) + hashlib.sha256().digest_size and decoded.startswith(_SHA2_256)


def _leaf(chunk: bytes) -> _Node:
    data = _bytes_field(2, chunk) if chunk else b""
    unixfs = _FILE + data + _varint_field(3, len(chunk))
    return _block(_bytes_field(1, unixfs), file_bytes=len(chunk), below=0)


def _parent(children: Sequence[_Node]) -> _Node:
    file_bytes = sum(child.file_bytes for child in children)
    sizes = b"".join(_varint_field(4, child.file_bytes) for child in children)
    unixfs = _FILE + _varint_field(3, file_bytes) + sizes
    links = b"".join(_bytes_field(2, _link(child)) for child in children)
    # dag-pb writes the links (field 2) before the data (field 1).
    return _block(
        links + _bytes_field(1, unixfs),
        file_bytes=file_bytes,
        below=sum(child.tree_bytes for child in children),
    )


def _link(child: _Node) -> bytes:
    return _bytes_field(1, child.multihash) + _bytes_field(2, b"") + _varint_field(3, child.tree_bytes)


def _block(serialised: bytes, *, file_bytes: int, below: int) -> _Node:
    return _Node(_SHA2_256 + hashlib.sha256(serialised).digest(), file_bytes, len(serialised) + below)


def _varint(number: int) -> bytes:
    """Protocol Buffers' variable-length integer: seven bits a byte, the lowest first."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _varint_field(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _bytes_field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


_FILE: Final = _varint_field(1, 2)  # UnixFS type 2: a file
