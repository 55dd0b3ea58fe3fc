"""The light destination, which also records which records arrived and how old their events were.

``python -m tests.bench.watching_destination REPORT`` prints its endpoint as one line of JSON. At its end it writes, for
each record, when it was answered and how old it was, in seconds; how many different ids there were; and how many
records had an id that had arrived before.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tests.bench.destination import Connection

_MESSAGE_ID: Final = re.compile(rb'"type":"track","event":"[^"]*","messageId":"([^"]+)"')
_TIMESTAMP: Final = re.compile(rb'"timestamp":"([^"]+)"')


class Watched:
    """The records that have arrived so far."""

    def __init__(self) -> None:
        self.ids: set[bytes] = set()
        self.records = 0
        self.times: list[tuple[float, float]] = []

    def answered(self, body: bytes) -> None:
        """Called when the answer to a request is under way."""
        now = time.time()
        ids = _MESSAGE_ID.findall(body)
        self.ids.update(ids)
        self.records += len(ids)
        for moment in _TIMESTAMP.findall(body):
            self.times.append((now, now - datetime.fromisoformat(moment.decode()).timestamp()))

    def report(self) -> dict[str, Any]:
        """Return the result, as the benchmark reads it."""
        return {"ids": len(self.ids), "repeated": self.records - len(self.ids), "times": self.times}


async def _serve(watched: Watched) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(lambda: Connection(watched.answered), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    print(json.dumps({"endpoint": f"http://{host}:{port}/v1/batch"}), flush=True)
    await stop.wait()


def main() -> None:
    watched = Watched()
    asyncio.run(_serve(watched))
    Path(sys.argv[1]).write_text(json.dumps(watched.report()), encoding="utf-8")


if __name__ == "__main__":
    main()
