"""Addresses, transaction signatures, reservation ids: made from the seed, recognised by their shape."""

import hashlib
import random
import uuid

import base58

NO_NODE = "1" * 32
"""The address of the system program (32 zero bytes): a job's `node` until a host takes it."""

NULL_RESULT = "QmNLei78zWmzUdbeRB3CiUfAizWUrbeeZh5K1rhAQKCh51"
"""The CID of 32 zero bytes: some records show it instead of null while there is no result."""


class Mint:
    """Makes new identifiers from one random generator, in the order in which they are asked for."""

    def __init__(self, generator: random.Random) -> None:
        self._generator = generator

    def address(self) -> str:
        """A new account address: 32 bytes in base58."""
        return encoded(self._generator.randbytes(32))

    def transaction(self) -> str:
        """A new transaction signature: 64 bytes in base58."""
        return encoded(self._generator.randbytes(64))

    def reservation(self) -> str:
        """A new reservation id: a random UUID."""
        return str(uuid.UUID(int=self._generator.getrandbits(128), version=4))


def encoded(data: bytes) -> str:
    """Bytes in base58."""
    return base58.b58encode(data).decode("ascii")


def derived_address(*parts: object) -> str:
    """An address that depends on `parts` alone: for what must not use up the generator, such as hosts."""
    return encoded(hashlib.sha256("/".join(str(part) for part in parts).encode()).digest())


def is_address(text: str) -> bool:
    """Whether `text` is 32 bytes in base58."""
    return 32 <= len(text) <= 44 and len(_decoded(text)) == 32


def is_cid(text: str) -> bool:
    """Whether `text` is a CIDv0: base58 of 34 bytes that begin with 12 20 (Nosana credits API, CIDs)."""
    if len(text) != 46:
        return False
    data = _decoded(text)
    return len(data) == 34 and data[:2] == b"\x12\x20"


def _decoded(text: str) -> bytes:
    try:
        return base58.b58decode(text)
    except ValueError:
        return b""
