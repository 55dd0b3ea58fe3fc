"""The built site on loopback, with a list of what was asked for and is not there."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@dataclass(slots=True, kw_only=True)
class Site:
    """A folder of pages, served at `address`. `missing` lists each path that was answered with 404."""

    folder: Path
    address: str = ""
    missing: list[str] = field(default_factory=list)

    def paths(self) -> list[str]:
        """List the path of every page."""
        pages = sorted(self.folder.rglob("*.html"))
        return ["/" + page.relative_to(self.folder).as_posix().removesuffix("index.html") for page in pages]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer with a file of the folder; with its `index.html` where a folder is asked for."""
        path = self.folder / request.path.removeprefix("/")
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            self.missing.append(request.path)
            return web.Response(status=404)
        return web.FileResponse(path)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Site]:
    """Serve a folder on a free port of loopback."""
    site = Site(folder=folder)
    application = web.Application()
    application.router.add_get("/{path:.*}", site.answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        listening = web.TCPSite(runner, "127.0.0.1", 0)
        await listening.start()
        host, port = runner.addresses[0]
        site.address = f"http://{host}:{port}"
        yield site
    finally:
        await runner.cleanup()
