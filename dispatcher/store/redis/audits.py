"""Audits as JSON text, and back; equal audits are equal texts."""

import json
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from dispatcher.ports.ledger import Audit
from dispatcher.store.redis.database import text


def audit_text(audit: Audit) -> str:
    return json.dumps(asdict(audit), default=str, sort_keys=True, separators=(",", ":"))


def audit_of(answer: Any) -> Audit | None:
    """None where none was kept."""
    if answer is None:
        return None
    fields = json.loads(text(answer))
    for name in ("lowest", "highest", "drift", "settled"):
        fields[name] = Decimal(fields[name])
    return Audit(**fields)
