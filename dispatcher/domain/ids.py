"""Names of things, one type each, so that a type checker refuses to mix them up."""

from typing import NewType

JobId = NewType("JobId", str)
"""A job of the dispatcher: `job_` and 24 random hexadecimal digits."""

RemoteAddress = NewType("RemoteAddress", str)
"""A job on the network: an address in base58 (Nosana)."""

MarketAddress = NewType("MarketAddress", str)
"""A market on the network: an address in base58 (Nosana)."""

ProjectAddress = NewType("ProjectAddress", str)
"""A customer on the network: the account's own address in base58 (Nosana), which its jobs' records name."""

AccountName = NewType("AccountName", str)
"""A credential in the settings. Jobs and messages carry this name, never the secret."""

IdempotencyKey = NewType("IdempotencyKey", str)
"""What the network tells repeats of one paid call by: `<job>:<operation>:<ordinal>:<epoch>`."""

HoldId = NewType("HoldId", str)
"""Credits set aside for one paid call: `<job>:<operation>:<ordinal>`."""

LeaseToken = NewType("LeaseToken", int)
"""Fencing token of a lease; grows with every claim of the same job."""
