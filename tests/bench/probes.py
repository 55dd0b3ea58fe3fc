"""Probe a status server at short intervals, from a separate process.

``python -m tests.bench.probes PORT INTERVAL_SECONDS`` prints how long each answer took, in milliseconds, as one JSON
list when it is stopped.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from http import HTTPStatus
from http.client import HTTPConnection

ANSWER_SECONDS = 60


def probe(port: int, interval_seconds: float) -> list[float]:
    """Send requests until SIGTERM, each one after the answer to the one before.

    Raises:
        RuntimeError: an answer was not 200.
    """
    stopping = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    connection = HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    answers: list[float] = []
    print("probing", flush=True)
    while not stopping:
        asked = time.perf_counter()
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        response.read()
        answers.append((time.perf_counter() - asked) * 1000)
        if response.status != HTTPStatus.OK:
            raise RuntimeError(f"/healthz answered {response.status}")
        time.sleep(interval_seconds)
    connection.close()
    return answers


if __name__ == "__main__":
    print(json.dumps(probe(int(sys.argv[1]), float(sys.argv[2]))))
