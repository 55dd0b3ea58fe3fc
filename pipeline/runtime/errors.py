"""What ends a worker. `pipeline.stream.errors` adds the errors of reading from Kafka.

WorkerError
└── PortUnavailableError  the port of metrics and health cannot be opened
"""

from __future__ import annotations


class WorkerError(Exception):
    """The worker must stop: it ends with a non-zero exit code, and everything unsettled stays in Kafka."""


class PortUnavailableError(WorkerError):
    """The port of `/metrics`, `/healthz` and `/readyz` cannot be opened."""
