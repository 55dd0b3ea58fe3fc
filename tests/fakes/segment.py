"""Fakes and builders for the Segment sink: messages, batches, a scripted Segment, a dead-letter store."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import SecretStr

from pipeline.delivery.answers import Answered, Response
from pipeline.kafka.headers import FORMAT_VERSION, RECORD_FORMAT
from pipeline.sinks.segment.api import SegmentApi
from pipeline.sinks.segment.options import SegmentOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.core.hold_reasons import HoldReason
    from pipeline.core.messages import Message
    from pipeline.delivery.client import RequestClient
    from pipeline.kafka.dead_letters import DeadLetter

TOPIC = "segment.records"
WRITE_KEY = "0123456789abcdefABCDEF0123456789"
OK = Answered(status=200, body=b'{"success":true}')


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeMessage:
    value: bytes | None
    partition: int = 0
    offset: int = 0
    topic: str = TOPIC
    key: bytes | None = b"u-1"
    timestamp: int = 1_767_225_600_000
    headers: Sequence[tuple[str, bytes]] = ((FORMAT_VERSION, RECORD_FORMAT),)


def record(message_id: str = "m-1", **changes: Any) -> bytes:
    """Build a record that every destination of the tests accepts. A change to None removes the field."""
    call: dict[str, Any] = {"type": "track", "event": "Push Clicked", "messageId": message_id, "userId": "u-1"}
    call |= {"properties": {"distinct_id": "u-1", "$insert_id": message_id, "time": 1_767_225_600_120}} | changes
    return json.dumps({name: value for name, value in call.items() if value is not None}).encode()


def record_of(size: int, message_id: str = "m-1") -> bytes:
    """Build a valid record of ``size`` bytes."""
    bare = record(message_id, padding="")
    return record(message_id, padding="x" * (size - len(bare)))


@dataclass(frozen=True, slots=True)
class Posted:
    """A request has reached Segment."""

    message_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """Dead letters were confirmed; the values are their reasons."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Acked:
    partition: int
    first_offset: int


@dataclass(frozen=True, slots=True)
class Settled:
    """`on_settled` was called."""


Effect: TypeAlias = Posted | Stored | Acked | Settled


@dataclass(slots=True, eq=False)
class FakeBatch:
    partition: int
    messages: Sequence[Message]
    effects: list[Effect]
    topic: str = TOPIC

    def acknowledge(self) -> None:
        self.effects.append(Acked(self.partition, self.messages[0].offset))


@dataclass(slots=True)
class FakeDeadLetters:
    """A store that confirms at once, or when ``gate`` is set. If ``fault`` is set, it is raised instead."""

    effects: list[Effect]
    gate: asyncio.Event | None = None
    fault: Exception | None = None
    letters: list[DeadLetter] = field(default_factory=list)
    repeated: set[int] = field(default_factory=set)
    retrying: bool = False
    hold_reason: str | None = None
    holds: frozenset[HoldReason] = frozenset()

    def repeats(self, source_partition: int) -> bool:
        return source_partition in self.repeated

    async def store(self, letters: Sequence[DeadLetter]) -> None:
        if self.fault is not None:
            raise self.fault
        if self.gate is not None:
            await self.gate.wait()
        self.letters.extend(letters)
        self.effects.append(Stored(tuple(letter.reason for letter in letters)))


@dataclass(frozen=True, slots=True)
class After:
    """An answer after some seconds."""

    seconds: float
    response: Response = OK


NEVER = After(float("inf"))


@dataclass(slots=True)
class FakeSegment:
    """Return the answers of the script, then 200. It creates the client of every lane."""

    effects: list[Effect]
    script: deque[Response | After | Exception] = field(default_factory=deque)
    bodies: list[bytes] = field(default_factory=list)
    posted_at: list[float] = field(default_factory=list)
    open_clients: int = 0
    cancelled: int = 0
    cancelling_seconds: float = 0.0

    def connect(self) -> FakeClient:
        self.open_clients += 1
        return FakeClient(self)


@dataclass(slots=True)
class FakeClient:
    segment: FakeSegment

    async def post(self, body: bytes) -> Response:
        self.segment.bodies.append(body)
        self.segment.posted_at.append(asyncio.get_running_loop().time())
        self.segment.effects.append(Posted(ids_of(body)))
        step = self.segment.script.popleft() if self.segment.script else OK
        if isinstance(step, Exception):
            raise step
        if not isinstance(step, After):
            return step
        try:
            await asyncio.sleep(step.seconds) if step is not NEVER else await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(self.segment.cancelling_seconds)
            self.segment.cancelled += 1
            raise
        return step.response

    async def close(self) -> None:
        self.segment.open_clients -= 1


def ids_of(body: bytes) -> tuple[str, ...]:
    """Return the ids of a body's records, in order: of Segment's batch, or of another destination's array."""
    read = json.loads(body)
    calls = read if isinstance(read, list) else read["batch"]
    return tuple(call["messageId"] if "messageId" in call else call["properties"]["$insert_id"] for call in calls)


def options(**changes: Any) -> SegmentOptions:
    values: dict[str, Any] = {
        "endpoint": "https://segment.test/v1/batch",
        "write_key": SecretStr(WRITE_KEY),
        "lanes": 1,
    }
    return SegmentOptions(**(values | changes))


API = SegmentApi(options())


class ScriptedApi(SegmentApi):
    """Segment, with connections to a fake."""

    def __init__(self, chosen: SegmentOptions, connect: Callable[[], RequestClient]) -> None:
        super().__init__(chosen)
        self._connect = connect

    def connect(self) -> RequestClient:
        return self._connect()
