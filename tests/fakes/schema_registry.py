"""A schema registry over real HTTP whose answers a test sets."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; ``body`` is JSON, or a text that is sent unchanged."""

    status: int
    body: Any = None
    after_seconds: float = 0.0


def error(status: int, code: int, message: str = "told so") -> Answer:
    """Return an error in the format of registries."""
    return Answer(status, {"error_code": code, "message": message})


@dataclass(slots=True)
class FakeRegistry:
    """Returns the answer of each path; any other path gets a 404 that is not in a registry's form.

    A path that ends in `?deleted=true` is for requests that include soft-deleted versions.
    """

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    credentials: list[str | None] = field(default_factory=list)
    port: int = 0
    _runner: web.AppRunner | None = None
    _scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self._scheme}://localhost:{self.port}"

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        self._scheme = "https" if tls else "http"
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        path = f"{request.method} {request.path}"
        self.asked.append(path)
        self.credentials.append(request.headers.get("Authorization"))
        answer = self.answers.get(path, Answer(404, "<html>nothing here</html>"))
        if request.query.get("deleted") == "true":
            answer = self.answers.get(f"{path}?deleted=true", answer)
        if answer.after_seconds:
            await asyncio.sleep(answer.after_seconds)
        if isinstance(answer.body, str):
            return web.Response(status=answer.status, text=answer.body)
        return web.json_response(answer.body, status=answer.status)
