"""The pipeline's own program, unchanged, with its requests to Kafka counted by kind and second.

``python -m tests.bench.contestants.counted REPORT ARGUMENT ...``; the report is written when the program ends.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from aiokafka.conn import AIOKafkaConnection

from pipeline.cli.main import main as program


def main() -> None:
    report, *sys.argv[1:] = sys.argv[1:]
    counts: Counter[tuple[str, int]] = Counter()
    send = AIOKafkaConnection.send

    def counted(self: AIOKafkaConnection, request: Any, *arguments: Any, **options: Any) -> Any:
        counts[type(request).__name__, int(time.time())] += 1
        return send(self, request, *arguments, **options)

    AIOKafkaConnection.send = counted
    try:
        program()
    finally:
        found = [(kind, second, count) for (kind, second), count in sorted(counts.items())]
        Path(report).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
