"""The same events as Avro in a registry's wire format, and the one answer that this registry must give."""

from __future__ import annotations

import io
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import fastavro

from pipeline.core.avro.contracts import RAW_EVENT
from pipeline.core.avro.framing import registry_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SCHEMA_ID = 1


def as_avro(pairs: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Encode the values of JSON events as Avro."""
    schema = fastavro.parse_schema(RAW_EVENT.schema)
    prefix = registry_prefix(_SCHEMA_ID)
    for key, value in pairs:
        body = io.BytesIO()
        fastavro.schemaless_writer(body, schema, json.loads(value))
        yield key, prefix + body.getvalue()


class _Registry(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"schema": RAW_EVENT.text}).encode()
        self.send_response(200 if self.path.startswith(f"/schemas/ids/{_SCHEMA_ID}") else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_told: object) -> None:
        """Do nothing: it is called once a run."""


@contextmanager
def light_registry() -> Iterator[dict[str, str]]:
    """Run a registry on loopback; return the settings with which a processor reads Avro from it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Registry)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield {
            "PIPELINE_RAW_FORMAT": "avro",
            "PIPELINE_SCHEMA_REGISTRY_URL": f"http://127.0.0.1:{server.server_address[1]}",
        }
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
