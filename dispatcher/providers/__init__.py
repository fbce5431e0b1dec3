"""Compute networks, each behind the `Provider` protocol of the ports; one subpackage a network.

Belongs here: how a network is spoken to. The bytes of its requests, the reading of its answers, and the
translation of everything that can go wrong there into `ProviderError`; and the table of accounts.

May not be here: a decision about jobs, a retry, a wait, a cache, a clock, a setting that is read from the
environment, and any word of one network in another's package. A provider is asked once and answers once; who
asks again, and when, is decided by the planner. Secrets come in as `SecretStr` and go out in one header only.

A new network: implement the protocol, and run `tests/providers/suite.py` against it.
"""
