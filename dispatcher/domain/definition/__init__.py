"""Job definitions, the JSON that the network runs: what is valid, what its bytes are, which posting it is.

Belongs here: the schema as tables and the vocabulary for them, how JavaScript sees and writes a document (the
network's validator and its clients are JavaScript), what in one looks like a secret, the dispatcher's stamp. May
not be here: pinning, reading files, anything about jobs or money. CIDs are in `dispatcher.domain.cid`.
"""

from dispatcher.domain.definition.canonical import canonical_json
from dispatcher.domain.definition.secrets import secret_faults
from dispatcher.domain.definition.stamp import Stamp, read_stamp, stamp
from dispatcher.domain.definition.validate import validate_definition
from dispatcher.domain.faults import Fault

__all__ = ["Fault", "Stamp", "canonical_json", "read_stamp", "secret_faults", "stamp", "validate_definition"]
