"""A headless Chromium, driven by its DevTools protocol over WebSockets: one for each tab."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tempfile
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from pipeline.runtime.leash import leashed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PROGRAM: Final = "chromium"
_OPTIONS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--remote-debugging-port=0",
)
"""`--host-resolver-rules` lets no name be resolved: what a page needs from elsewhere fails."""
_LISTENING: Final = re.compile(rb"DevTools listening on (ws://\S+)")
_ANSWER_SECONDS: Final = 60
_LARGEST_MESSAGE: Final = 64 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Tab:
    """One tab. `requests` lists the addresses that the present page asked for, `failed` those that it did not get."""

    socket: aiohttp.ClientWebSocketResponse
    session: str = ""
    requests: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    _number: int = 0
    _asked: dict[str, str] = field(default_factory=dict)

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result.

        Raises:
            RuntimeError: Chromium refused the call.
        """
        self._number += 1
        call: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self.session:
            call["sessionId"] = self.session
        await self.socket.send_str(json.dumps(call))
        while True:
            message = await self._receive()
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result

    async def show(self, address: str, *, width: int, height: int = 900) -> None:
        """Open a page in a window of that size, in CSS pixels, and wait until all that it asked for is loaded."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        self.requests.clear()
        self.failed.clear()
        self._asked.clear()
        await self.call("Page.navigate", url=address)
        while (await self._receive()).get("method") != "Page.loadEventFired":
            pass

    async def value(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript, or of the promise that it is."""
        result = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    async def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = await self.socket.receive_json(timeout=_ANSWER_SECONDS)
        match message.get("method"):
            case "Network.requestWillBeSent" if not message["params"]["request"]["url"].startswith("data:"):
                self._asked[message["params"]["requestId"]] = message["params"]["request"]["url"]
                self.requests.append(message["params"]["request"]["url"])
            case "Network.responseReceived" if message["params"]["response"]["status"] >= 400:
                self.failed.append(message["params"]["response"]["url"])
            case "Network.loadingFailed":
                self.failed.append(self._asked.get(message["params"]["requestId"], "?"))
            case _:
                pass
        return message


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """A Chromium whose protocol is served at `address`."""

    client: aiohttp.ClientSession
    address: str

    @asynccontextmanager
    async def tab(self) -> AsyncIterator[Tab]:
        """Open a tab, with a separate connection."""
        async with self.client.ws_connect(self.address, max_msg_size=_LARGEST_MESSAGE) as socket:
            tab = Tab(socket=socket)
            target = (await tab.call("Target.createTarget", url="about:blank"))["targetId"]
            tab.session = (await tab.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
            for domain in ("Page", "Network", "Runtime"):
                await tab.call(f"{domain}.enable")
            yield tab


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start Chromium, and end it afterwards.

    Raises:
        FileNotFoundError: Chromium is not installed.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise FileNotFoundError(f"{PROGRAM} is not installed")
    with tempfile.TemporaryDirectory(prefix="onesignal-pipeline-chromium-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            *leashed((program, *_OPTIONS, f"--user-data-dir={profile}", "about:blank")),
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            async with aiohttp.ClientSession() as client:
                yield Browser(client=client, address=await _address(process))
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.communicate()


async def _address(process: asyncio.subprocess.Process) -> str:
    """Return where Chromium's protocol is served, as it prints at its start."""
    assert process.stderr is not None
    printed = b""
    while line := await asyncio.wait_for(process.stderr.readline(), _ANSWER_SECONDS):
        printed += line
        if found := _LISTENING.search(line):
            return found[1].decode()
    raise RuntimeError(f"Chromium did not start: {printed.decode(errors='replace')}")
