"""Send hostile answers to real sinks: one after another to each sink, between good answers."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from pipeline.settings.choices import Role
from tests.hostile.answer_server import AnswerServer
from tests.hostile.answers import ANSWERS, Expected, HostileAnswer, When
from tests.hostile.batches import Batch, encoded
from tests.hostile.good_messages import good_record
from tests.hostile.peak_memory import peak_of
from tests.hostile.planted import TRACEBACK, USERS, leaks
from tests.hostile.reckoning import disordered, lost
from tests.hostile.results import CaseResult
from tests.hostile.stage import Grounds, Workers, as_they_end, create_topics, environment, running_workers
from tests.hostile.wire import BatchWriter
from tests.memory_bound import WORKER_BYTES, Limits

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from tests.chaos.sampler import Names

PART: Final = "answers"
SMALL_RECORDS, LARGE_RECORDS, LARGE_BYTES = 3, 15, 30_000
_WAIT_SECONDS: Final = 15.0
_PLAYED_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 0.02
_ENDLESS: Final = 10_000
_ALLOWED: Final = WORKER_BYTES + Limits().of_partition(LARGE_BYTES)
_HOLDS: Final = "sink holding"
_PARTS: Final = 2
"""A refused request is split into at least this many."""
_DOUBTS: Final = re.compile(r"^onesignal_pipeline_sink_doubtful_answers_total\{.*\} (\S+)$", re.MULTILINE)
_SETTINGS: Final = {
    "MAX_MESSAGES_IN_HAND": "2000",
    "MAX_POLL_RECORDS": "1000",
    "FETCH_MAX_BYTES": "1048576",
    "MAX_BYTES_IN_HAND": "4194304",
}


class Programme(AnswerServer):
    """A server that sends one hostile answer after another on the same port."""

    def __init__(self, *, when: When) -> None:
        super().__init__(HostileAnswer(name="none", steps=(), expected=Expected.ACCEPTED, when=when), times=0)
        self._open: set[asyncio.StreamWriter] = set()

    def arm(self, hostile: HostileAnswer) -> None:
        """Send this answer once from now on. One that is sent right after connect needs a new connection."""
        self._hostile, self._left, self._owed = hostile, 1, 0
        self.played.clear()
        if hostile.when is When.CONNECTED:
            for writer in self._open:
                writer.close()

    def ids(self) -> dict[str, str]:
        """Return the ids of the records that were accepted, in the order of their first acceptance."""
        found: dict[str, str] = {}
        for body in self.accepted:
            for record in orjson.loads(body)["batch"]:
                found.setdefault(record["messageId"], record["userId"])
        return found

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Close the connection if the request was faster than the bytes before it, which would then be its answer."""
        if not (self._plays(When.CONNECTED) and _has_sent(writer)):
            await super()._serve(reader, writer)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await super()._accept(reader, writer)
        finally:
            self._open.discard(writer)


@dataclass(slots=True, kw_only=True)
class Sink:
    """A sink with a topic of one partition, and its Segment."""

    grounds: Grounds
    names: Names
    server: Programme
    workers: Workers
    writer: BatchWriter
    read: int = 0

    async def write(self, user: str, ids: Sequence[str], *, large: bool = False) -> None:
        """Write records of a user in one batch."""
        batch = encoded(
            Batch(records=[good_record(user, each, filler_bytes=LARGE_BYTES if large else 0) for each in ids])
        )
        await asyncio.to_thread(self.writer.write, self.names.records, 0, batch)

    async def accepted(self, ids: Sequence[str], *, seconds: float = _WAIT_SECONDS) -> bool:
        """Wait until Segment has accepted these records; return False if it has not in time."""
        deadline = time.monotonic() + seconds
        while lost(ids, self.server.ids()):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_LOOK_SECONDS)
        return True

    def news(self) -> str:
        """Return what was logged since the last call."""
        log = self.workers.logs()
        news, self.read = log[self.read :], len(log)
        return news

    async def doubts(self) -> float:
        """Return how many answers were counted that are accepted but are not Segment's."""
        pages = [(await worker.get("/metrics"))[1] for worker in self.workers.present]
        return sum(float(found) for page in pages for found in _DOUBTS.findall(page))

    def begin(self) -> None:
        """Reset the peak memory."""
        for worker in self.workers.present:
            with suppress(OSError):
                Path(f"/proc/{worker.process.pid}/clear_refs").write_text("5", encoding="ascii")

    def peak(self) -> int:
        """Return the peak memory since then."""
        return max((peak_of(worker.process.pid) for worker in self.workers.present), default=0)


async def play_answers(grounds: Grounds, *, sinks: int, every: int = 1) -> AsyncGenerator[list[CaseResult]]:
    """Send every `every`-th answer of the collection to several sinks side by side; yield the results of each sink."""
    early = [each for each in ANSWERS if each.when is When.MID_REQUEST][::every]
    others = [each for each in ANSWERS if each.when is not When.MID_REQUEST][::every]
    programmes = [(When.ANSWER, others[number::sinks]) for number in range(sinks)]
    programmes.append((When.MID_REQUEST, early))
    async for each in as_they_end(_play_to_one(grounds, when, answers) for when, answers in programmes if answers):
        yield each


async def _play_to_one(grounds: Grounds, when: When, answers: Sequence[HostileAnswer]) -> list[CaseResult]:
    names = grounds.names()
    await asyncio.to_thread(create_topics, grounds, names, 1)
    async with AsyncExitStack() as stack:
        server = Programme(when=when)
        await server.start()
        stack.push_async_callback(server.stop)
        settings = environment(grounds.servers, server.endpoint, names, _SETTINGS)
        workers = await stack.enter_async_context(
            running_workers(grounds, (Role.SEGMENT_SINK,), settings, name=names.records, most_own_ends=_ENDLESS)
        )
        writer = stack.enter_context(BatchWriter(grounds.servers))
        sink = Sink(grounds=grounds, names=names, server=server, workers=workers, writer=writer)
        await workers.crew.all_ready()
        results = [await _play(sink, number, hostile) for number, hostile in enumerate(answers)]
    _blame_for_the_end(results, workers)
    return results


def _blame_for_the_end(results: Sequence[CaseResult], workers: Workers) -> None:
    """Assign to the last case what a sink did when it was stopped, and what its pages showed then."""
    last = results[-1]
    last.ends += len(workers.crew.bad_stops)
    last.faults += workers.crew.bad_stops
    last.leaks += sorted(set(workers.leaks()) - {leak for each in results for leak in each.leaks})


async def _play(sink: Sink, number: int, hostile: HostileAnswer) -> CaseResult:
    """Send one answer to the second of three requests."""
    user = f"{USERS}-{sink.names.records}-{number}"
    is_early = hostile.when is When.MID_REQUEST
    many = LARGE_RECORDS if is_early else SMALL_RECORDS
    before, during, after = ([f"{user}-{name}-{each:02d}" for each in range(many)] for name in ("a", "b", "c"))
    ends, faults = sink.workers.own_ends, list[str]()
    sink.news()
    sink.begin()
    if hostile.when is When.IDLE:
        sink.server.arm(hostile)
    await sink.write(user, before)
    if not await sink.accepted(before):
        faults.append("the records before it did not arrive")
    if hostile.when is not When.IDLE:
        sink.server.arm(hostile)
    else:
        await _played(sink.server)
    requests, doubts = sink.server.requests, await sink.doubts()
    await sink.write(user, during, large=is_early)
    await sink.accepted(during)
    asked = sink.server.requests - requests
    if not await _played(sink.server):
        faults.append("it was not sent")
    await sink.write(user, after)
    await sink.accepted(after)
    log = sink.news()
    if hostile.doubtful != (await sink.doubts() > doubts):
        faults.append("there was no warning about its content" if hostile.doubtful else "it was counted as doubtful")
    accepted = sink.server.ids()
    written = [*before, *during, *after]
    return CaseResult(
        part=PART,
        kind=f"{hostile.when}: {hostile.expected}",
        name=hostile.name,
        expected=hostile.expected.value,
        lost=len(lost(written, accepted)),
        disordered=len(disordered(written, accepted)),
        ends=sink.workers.own_ends - ends,
        peak_bytes=sink.peak(),
        allowed_bytes=_ALLOWED,
        faults=[*faults, *_faults(hostile, asked=asked, log=log)],
        leaks=[*leaks(log, ("ChaosWorker",)), *(["a traceback"] if TRACEBACK in log else [])],
    )


def _faults(hostile: HostileAnswer, *, asked: int, log: str) -> list[str]:
    """Return how the sink deviated from what the answer requires. `asked`: requests that were read whole."""
    found: list[str] = []
    if hostile.expected is Expected.ACCEPTED and hostile.when is When.ANSWER and asked > 1:
        found.append(f"accepted records were sent {asked} times")
    if hostile.expected is Expected.REFUSED and asked < _PARTS + (hostile.when is When.ANSWER):
        found.append("its records were not sent one by one")
    if (hostile.expected is Expected.HELD) != (_HOLDS in log):
        found.append("it did not hold" if hostile.expected is Expected.HELD else "it held")
    return found


def _has_sent(writer: asyncio.StreamWriter) -> bool:
    """Return whether the other side has sent bytes that are still unread."""
    with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as connection:
        try:
            return bool(connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            return False


async def _played(server: Programme) -> bool:
    try:
        async with asyncio.timeout(_PLAYED_SECONDS):
            await server.played.wait()
    except TimeoutError:
        return False
    return True
