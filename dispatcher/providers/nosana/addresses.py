"""Addresses of jobs, markets, hosts and users: 32 bytes in base58 (Nosana credits API, the chain's keys)."""

from typing import Final, TypeGuard

import base58

NO_NODE: Final = "1" * 32
"""32 zero bytes: what a job's record has for a host until one takes it."""


def is_address(value: object) -> TypeGuard[str]:
    """Whether `value` is a text that decodes to 32 bytes of base58."""
    if not isinstance(value, str) or not 32 <= len(value) <= 44 or not (value.isascii() and value.isalnum()):
        return False
    try:
        return len(base58.b58decode(value)) == 32
    except ValueError:
        return False
