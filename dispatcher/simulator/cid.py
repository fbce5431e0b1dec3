"""The CID of a document: CIDv0, the hash of its UnixFS blocks (Nosana credits API, CIDs).

Up to 262144 bytes one block holds the document. A longer one is cut into such blocks under a balanced tree
with 174 links a node, which is how the common IPFS importers lay it out.
"""

import hashlib
from dataclasses import dataclass

from dispatcher.simulator.identifiers import encoded

_CHUNK = 262144
_LINKS = 174


@dataclass(frozen=True, slots=True)
class _Block:
    multihash: bytes
    content_size: int
    total_size: int  # of this block and of everything below it


def cid_of(content: bytes) -> str:
    """The CIDv0 of `content`: 46 characters that begin with Qm."""
    level = [_leaf(content[at : at + _CHUNK]) for at in range(0, len(content), _CHUNK)] or [_leaf(b"")]
    while len(level) > 1:
        level = [_parent(level[at : at + _LINKS]) for at in range(0, len(level), _LINKS)]
    return encoded(level[0].multihash)


def _leaf(content: bytes) -> _Block:
    size = _varint(len(content))
    unixfs = b"\x08\x02" + (b"\x12" + size + content if content else b"") + b"\x18" + size
    return _block(b"\x0a" + _varint(len(unixfs)) + unixfs, len(content), 0)


def _parent(children: list[_Block]) -> _Block:
    links = b"".join(_field(0x12, _link(child)) for child in children)
    content_size = sum(child.content_size for child in children)
    sizes = b"".join(b"\x20" + _varint(child.content_size) for child in children)
    unixfs = b"\x08\x02\x18" + _varint(content_size) + sizes
    return _block(links + _field(0x0A, unixfs), content_size, sum(child.total_size for child in children))


def _link(child: _Block) -> bytes:
    return _field(0x0A, child.multihash) + b"\x12\x00\x18" + _varint(child.total_size)


def _block(node: bytes, content_size: int, below: int) -> _Block:
    return _Block(b"\x12\x20" + hashlib.sha256(node).digest(), content_size, len(node) + below)


def _field(tag: int, data: bytes) -> bytes:
    return bytes([tag]) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
