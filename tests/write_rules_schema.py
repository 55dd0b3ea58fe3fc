"""Write the JSON Schema of rules files after a change of the code: ``python -m tests.write_rules_schema``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from pipeline.core.rules_schema import rules_schema

RULES_SCHEMA: Final = Path(__file__).parents[1] / "schemas" / "rules.schema.json"


def rules_schema_text() -> str:
    """Return the schema as it is in its file."""
    return json.dumps(rules_schema(), indent=2) + "\n"


if __name__ == "__main__":
    RULES_SCHEMA.write_text(rules_schema_text(), encoding="utf-8")
