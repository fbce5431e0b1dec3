"""A simulated compute network: a stand-in for the Nosana credits API, its hosts, its IPFS pinning and
gateway.

Belongs here: everything that plays the network's part. Markets and hosts, the life of a job, credits,
idempotency keys, the HTTP routes and their error answers, faults on demand, the ledger of what clients did,
and the two ways to reach it: over a socket (`serve`) and inside the process (`transport`).

May not be here: any import from the rest of the project. The simulator must be able to contradict the code
that is tested against it, so it shares nothing with it, not even the CID rule. The core reads no wall clock,
opens no file or socket and draws all randomness from one seed; only `serve` and the file of `journal` do I/O.

Where to look: `network.Network` is the core, `app.App` answers calls, `serve.serve` runs it on loopback,
`transport.SimulatedTransport` puts it behind an `httpx.Client`.
"""
