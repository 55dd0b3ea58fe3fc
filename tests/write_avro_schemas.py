"""Write the Avro schemas after a change of the code: ``python -m tests.write_avro_schemas``.

Only the latest version of a contract is written, and a fingerprint only for a version without one. So a published
version that was changed is noticed: its file does not match its fingerprint any more.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline.core.avro.contracts import DEAD_LETTER, RAW_EVENT, Contract
from pipeline.core.avro.framing import fingerprint_of
from pipeline.core.destinations.mixpanel.avro_contract import MIXPANEL_RECORD
from pipeline.core.destinations.segment.avro_contract import SEGMENT_RECORD

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTRACTS: Final[Mapping[str, Contract]] = {
    contract.subject: contract for contract in (RAW_EVENT, SEGMENT_RECORD, MIXPANEL_RECORD, DEAD_LETTER)
}
"""All contracts, by subject."""

AVRO_SCHEMAS: Final = Path(__file__).parents[1] / "schemas" / "avro"
FINGERPRINTS: Final = AVRO_SCHEMAS / "fingerprints.json"


def schema_text(contract: Contract) -> str:
    """Return a schema as it is in its file."""
    return json.dumps(contract.schema, indent=2, ensure_ascii=False) + "\n"


def schema_path(subject: str, version: int) -> Path:
    """Return the file of a version."""
    return AVRO_SCHEMAS / subject / f"{version}.avsc"


def fingerprints(text: str) -> dict[str, str]:
    """Return Avro's fingerprint of a schema, and one that covers defaults too, but no docs.

    Avro's is that of the canonical parsing form, as eight bytes, as in single-object encoding.
    """
    everything = json.dumps(_without_docs(json.loads(text)), sort_keys=True)
    return {
        "crc-64-avro": fingerprint_of(text).hex(),
        "sha-256-with-defaults": hashlib.sha256(everything.encode()).hexdigest(),
    }


def published() -> dict[str, dict[str, str]]:
    """Return the fingerprints of all published versions, by subject and version."""
    found: dict[str, dict[str, str]] = json.loads(FINGERPRINTS.read_text(encoding="utf-8"))
    return found


def _without_docs(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_docs(each) for each in schema]
    if isinstance(schema, dict):
        return {key: _without_docs(value) for key, value in schema.items() if key != "doc"}
    return schema


def _write() -> None:
    known = published() if FINGERPRINTS.exists() else {}
    for contract in CONTRACTS.values():
        path, text = schema_path(contract.subject, contract.version), schema_text(contract)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        known.setdefault(f"{contract.subject}/{contract.version}", fingerprints(text))
    FINGERPRINTS.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write()
