"""`/metrics`, `/healthz` and `/readyz` on one port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from pipeline.runtime.bounded_port import BoundedPort, PortLimits, affordable_connections
from pipeline.runtime.errors import PortUnavailableError
from pipeline.settings.mistakes import variable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prometheus_client import CollectorRegistry

    from pipeline.runtime.health import Health

logger = structlog.get_logger(__name__)

_METHODS: Final = ("GET", "HEAD")
_MOST_HEADERS: Final = 64
_END_SECONDS: Final = 0.25
"""aiohttp waits this long twice: for an answer in progress, and for its task."""


class StatusServer:
    """Serves a worker's metrics and health in its own event loop: an answer shows that the loop runs.

    A connection is closed after one answer, so pipelined requests are never computed. aiohttp parses requests and
    writes answers.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        registry: CollectorRegistry,
        liveness: Callable[[], Health],
        readiness: Callable[[], Health],
        limits: PortLimits | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._registry = registry
        self._limits = limits or PortLimits(connections=affordable_connections())
        self._pages: Mapping[str, Callable[[], web.Response]] = {
            "/metrics": self._metrics,
            "/healthz": lambda: _verdict(liveness()),
            "/readyz": lambda: _verdict(readiness()),
        }
        self._runner: web.ServerRunner | None = None
        self._open_port: BoundedPort | None = None

    @property
    def port(self) -> int:
        """The port that is open; 0 when none is."""
        return self._open_port.port if self._open_port is not None else 0

    async def start(self) -> None:
        """Open the port.

        Raises:
            PortUnavailableError: the port is in use, or the host is not an address of this machine.
        """
        # No keep-alive: `BoundedPort` sets the lifetime of a connection. No lingering: bodies are not read.
        server = web.Server(
            self._answer,
            access_log=None,
            keepalive_timeout=0,
            lingering_time=0,
            logger=_RequestLog(),
            max_headers=_MOST_HEADERS,
        )
        self._runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=_END_SECONDS)
        await self._runner.setup()
        self._open_port = BoundedPort(server, self._limits)
        try:
            await self._open_port.listen(self._host, self._port)
        except OSError as error:
            await self._runner.cleanup()
            raise PortUnavailableError(
                f"metrics and health cannot be served on {self._host}:{self._port}: {error.strerror or error}. "
                f"Change {variable('http_port')} or {variable('http_host')}, or stop what listens there."
            ) from error

    async def stop(self) -> None:
        """Close the port within a second, whatever its clients do."""
        if self._open_port is not None:
            await self._open_port.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        response = self._response(request)
        response.force_close()
        return response

    def _response(self, request: web.BaseRequest) -> web.Response:
        page = self._pages.get(request.path)
        if page is None:
            return web.Response(status=404, text="There are /metrics, /healthz and /readyz.\n")
        if request.method not in _METHODS:
            return web.Response(status=405, text="Use GET.\n", headers={"Allow": ", ".join(_METHODS)})
        if request.body_exists:
            return web.Response(status=413, text="A request may have no body.\n")
        return page()

    def _metrics(self) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class _RequestLog:
    """Receives what aiohttp logs about requests. Requests that are not HTTP are not quoted."""

    def debug(self, *_: object, **__: object) -> None:
        logger.debug("request on the status port is not HTTP")

    def exception(self, _message: str, *_: object, exc_info: BaseException | None = None) -> None:
        if isinstance(exc_info, HttpProcessingError):
            self.debug()
        else:
            logger.error("status page failed", exc_info=exc_info)


def _verdict(health: Health) -> web.Response:
    return web.json_response({"ok": health.ok, "detail": health.detail}, status=200 if health.ok else 503)
