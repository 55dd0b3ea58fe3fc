"""Sessions of aiohttp without a network: every request is stored, and answered as the test defines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from pipeline.delivery import client as client_module

if TYPE_CHECKING:
    import pytest

CHUNK_BYTES: Final = 1_500


class FakeAnswer:
    """An answer of aiohttp, which is its own context and its own body."""

    def __init__(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.headers = headers or {}
        self.content = self
        self._body = body

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None: ...

    def is_eof(self) -> bool:
        return not self._body

    at_eof = is_eof

    def exception(self) -> None: ...

    def read_nowait(self, _most: int) -> bytes:
        return b""

    async def read(self, most: int) -> bytes:
        """Return what has arrived, not always as much as was requested."""
        count = min(most, CHUNK_BYTES)
        read, self._body = self._body[:count], self._body[count:]
        return read


class FakeSession:
    """A session of aiohttp that stores its requests and answers as the wire defines."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.closed = False

    def post(self, address: str, **arguments: Any) -> FakeAnswer:
        self._wire.posts.append((self._wire.sessions.index(self), address, arguments))
        answer = self._wire.answers.pop(0) if self._wire.answers else FakeAnswer(200, b"{}")
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        self.closed = True


class Wire:
    """Every session that a client opens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sessions: list[FakeSession] = []
        self.posts: list[tuple[int, str, dict[str, Any]]] = []
        self.answers: list[FakeAnswer | Exception] = []
        monkeypatch.setattr(client_module, "_open_session", self._open)

    def _open(self, _options: object) -> FakeSession:
        self.sessions.append(FakeSession(self))
        return self.sessions[-1]

    @property
    def used(self) -> list[int]:
        """Return the session of each request."""
        return [number for number, _, _ in self.posts]

    @property
    def open_sessions(self) -> int:
        return sum(not session.closed for session in self.sessions)
