"""`/metrics`, `/healthz` and `/readyz` on one port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from pipeline.settings.mistakes import variable
from pipeline.stream.errors import PortUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

    from pipeline.stream.health import Health


class StatusServer:
    """Serves a worker's metrics and health on its own event loop: an answer shows that the loop runs."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        registry: CollectorRegistry,
        liveness: Callable[[], Health],
        readiness: Callable[[], Health],
    ) -> None:
        self._host = host
        self._port = port
        self._registry = registry
        self._liveness = liveness
        self._readiness = readiness
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port that it listens at; 0 when it does not."""
        return self._runner.addresses[0][1] if self._runner is not None and self._runner.addresses else 0

    async def start(self) -> None:
        """Listen.

        Raises:
            PortUnavailableError: the port is taken, or the host is not ours.
        """
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise PortUnavailableError(
                f"metrics and health cannot be served on {self._host}:{self._port}: {error.strerror or error}. "
                f"Change {variable('http_port')} or {variable('http_host')}, or end what listens there."
            ) from error

    async def stop(self) -> None:
        """Close the port."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.Response:
        del request
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _healthz(self, request: web.Request) -> web.Response:
        del request
        return _answer(self._liveness())

    async def _readyz(self, request: web.Request) -> web.Response:
        del request
        return _answer(self._readiness())


def _answer(health: Health) -> web.Response:
    return web.json_response({"ok": health.ok, "detail": health.detail}, status=200 if health.ok else 503)
