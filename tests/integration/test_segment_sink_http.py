"""The sink against the stand-in over real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from structlog.testing import capture_logs

from pipeline.core.hold_reasons import HoldReason
from pipeline.delivery.probe import ProbeOutcome
from pipeline.delivery.secret_file import SecretFile
from pipeline.delivery.sink import Sink
from pipeline.local.segment.stand_in import WRITE_KEY, SegmentStandIn
from pipeline.local.stand_ins.faults import AnswerStatus, CutAnswer, Fault, Refuse, Reset, Slow, Stall, TakeAndDrop
from pipeline.metrics.credentials import CredentialsMetrics
from pipeline.metrics.delivery import DeliveryMetrics
from pipeline.sinks.segment.api import SegmentApi
from pipeline.sinks.segment.credentials import write_key_problem
from pipeline.sinks.segment.options import SegmentOptions
from tests.fakes.segment import TOPIC, Acked, Effect, FakeBatch, FakeDeadLetters, FakeMessage, record_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


@pytest.fixture
async def stand_in() -> AsyncIterator[SegmentStandIn]:
    made = SegmentStandIn()
    await made.start()
    yield made
    await made.stop()


def options(stand_in: SegmentStandIn, **changes: Any) -> SegmentOptions:
    values: dict[str, Any] = {
        "endpoint": stand_in.endpoint,
        "write_key": SecretStr(WRITE_KEY),
        "flush_interval_seconds": 0.05,
        "retry_base_seconds": 0.01,
        "retry_max_seconds": 0.05,
        "request_timeout_seconds": 5.0,
    }
    return SegmentOptions(**(values | changes))


class Delivery:
    """Records that are being processed by a running sink."""

    def __init__(
        self,
        stand_in: SegmentStandIn,
        *,
        write_key: Callable[[], SecretStr] | None = None,
        **changes: Any,
    ) -> None:
        self.effects: list[Effect] = []
        self.registry = CollectorRegistry()
        self.settled = asyncio.Event()
        self.tried = asyncio.Event()
        self.dead_letters = FakeDeadLetters(self.effects)
        chosen = options(stand_in, **changes)
        self.sink = Sink(
            api=SegmentApi(chosen, write_key=write_key),
            options=chosen,
            dead_letters=self.dead_letters,
            metrics=DeliveryMetrics(self.registry, destination="segment"),
            on_settled=self.settled.set,
            chance=self.draw,
        )
        self.given: dict[int, list[str]] = {}
        self.lanes: asyncio.Task[None] | None = None

    def draw(self) -> float:
        """Called once for each answer, or for a request without one."""
        self.tried.set()
        return 0.5

    def accept(self, partition: int, count: int, *, size: int = 870) -> None:
        ids = self.given.setdefault(partition, [])
        first = len(ids)
        ids += [f"{partition}-{first + number}" for number in range(count)]
        messages = [
            FakeMessage(value=record_of(size, ids[n]), partition=partition, offset=n) for n in range(first, len(ids))
        ]
        self.sink.accept(FakeBatch(partition, messages, self.effects))

    @property
    def acked(self) -> set[Effect]:
        return {effect for effect in self.effects if isinstance(effect, Acked)}

    async def holding(self) -> None:
        """Wait until the sink holds."""
        while not self.sink.status().holding:
            self.tried.clear()
            await self.tried.wait()
            await asyncio.sleep(0)

    async def all_acked(self, batches: int) -> None:
        assert self.lanes is not None
        while len(self.acked) < batches:
            self.settled.clear()
            await self.settled.wait()
            if self.lanes.done():
                self.lanes.result()

    def count(self, name: str, **labels: str) -> float:
        labels["destination"] = "segment"
        return self.registry.get_sample_value(f"onesignal_pipeline_sink_{name}", labels) or 0.0


@contextlib.asynccontextmanager
async def running(delivery: Delivery) -> AsyncIterator[None]:
    delivery.lanes = asyncio.ensure_future(delivery.sink.run())
    delivery.lanes.add_done_callback(lambda _: delivery.settled.set())
    try:
        yield
    finally:
        delivery.lanes.cancel()
        await asyncio.wait({delivery.lanes})


def arrived_in_order(stand_in: SegmentStandIn, delivery: Delivery) -> bool:
    accepted = list(stand_in.ledger.accepted)
    return all([each for each in accepted if each in set(ids)] == ids for ids in delivery.given.values())


@pytest.mark.parametrize("gzip", [False, True])
async def test_records_arrive_in_order_in_full_requests(stand_in: SegmentStandIn, *, gzip: bool) -> None:
    delivery = Delivery(stand_in, gzip=gzip, max_batch_bytes=100_000, lanes=2)
    for turn in range(8):
        delivery.accept(turn % 4, 300)
    async with running(delivery):
        await delivery.all_acked(8)
    assert arrived_in_order(stand_in, delivery)
    assert {request.encoding for request in stand_in.ledger.requests} == {"gzip" if gzip else None}
    sizes = sorted(request.size for request in stand_in.ledger.requests)
    assert sizes[-1] <= 100_000
    assert all(size > 99_000 for size in sizes[2:]), "all but the last request of each lane are full"


FAULTS: list[Fault] = [
    *[AnswerStatus(status=status) for status in (408, 410, 429, 460, 500, 502, 503, 504)],
    AnswerStatus(status=429, retry_after="0"),
    AnswerStatus(status=429, retry_after="absurd"),
    AnswerStatus(status=429, retry_after="Thu, 01 Jan 1970 00:00:00 GMT"),
    *[AnswerStatus(status=status) for status in (301, 400, 401, 403, 404, 413, 501, 505)],
    Reset(),
    TakeAndDrop(),
    CutAnswer(),
    Slow(seconds=60.0),
    Slow(seconds=60.0, takes_first=True),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_nothing_is_lost_or_out_of_order_whatever_the_answer(stand_in: SegmentStandIn, fault: Fault) -> None:
    stand_in.faults.order(fault, times=2)
    delivery = Delivery(stand_in, lanes=1, request_timeout_seconds=0.3)
    delivery.accept(0, 20)
    delivery.accept(1, 20)
    async with running(delivery):
        await delivery.all_acked(2)
    assert arrived_in_order(stand_in, delivery)
    assert len(stand_in.ledger.accepted) == 40
    assert not delivery.sink.status().holding
    assert delivery.count("records_accepted_total") == 40.0


async def test_segment_away_and_back_loses_nothing() -> None:
    first = SegmentStandIn()
    await first.start()
    delivery = Delivery(first, lanes=2)
    await first.stop()
    assert not delivery.tried.is_set()
    port = int(first.address.rpartition(":")[2])
    second = SegmentStandIn()
    async with running(delivery):
        delivery.accept(0, 5)
        delivery.accept(1, 5)
        await delivery.tried.wait()
        await second.start(port=port)
        await delivery.all_acked(2)
    assert arrived_in_order(second, delivery)
    assert delivery.count("attempts_total", answer="network") >= 1.0
    await second.stop()


async def test_a_seeded_storm_of_faults_ends_with_every_record_once(stand_in: SegmentStandIn) -> None:
    stand_in.faults.schedule(seed=11, rate=0.4)
    delivery = Delivery(
        stand_in, lanes=3, max_batch_bytes=40_000, request_timeout_seconds=0.2, retry_after_cap_seconds=0.05
    )
    for turn in range(30):
        delivery.accept(turn % 6, 50)
    async with running(delivery):
        await delivery.all_acked(30)
    assert len(stand_in.ledger.accepted) == 1_500
    assert arrived_in_order(stand_in, delivery)
    assert stand_in.ledger.faults.total() > 5


async def test_a_connection_is_kept_alive_and_renewed_after_a_5xx(stand_in: SegmentStandIn) -> None:
    delivery = Delivery(stand_in, lanes=1, flush_interval_seconds=0.001)
    opened = []
    async with running(delivery):
        for number in range(4):
            if number == 2:
                stand_in.faults.order(AnswerStatus(status=503))
            delivery.accept(0, 1)
            await delivery.all_acked(number + 1)
            opened.append(delivery.sink._drivers[0]._client._session)  # type: ignore[attr-defined]
    assert opened[0] is opened[1]
    assert opened[1] is not opened[2]
    assert opened[2] is opened[3]


async def test_revoking_cancels_a_request_that_hangs(stand_in: SegmentStandIn) -> None:
    stand_in.faults.order(Stall())
    delivery = Delivery(stand_in, lanes=1)
    async with running(delivery):
        delivery.accept(0, 3)
        delivery.accept(1, 3)
        await stand_in.arrived(1)
        await delivery.sink.revoke([(TOPIC, 0)], timeout_seconds=0.05)
        await delivery.all_acked(1)
    assert list(stand_in.ledger.accepted) == delivery.given[1]
    assert delivery.acked == {Acked(1, 0)}
    assert delivery.count("records_given_back_total") == 3.0


async def test_a_drain_leaves_nothing_behind(stand_in: SegmentStandIn) -> None:
    delivery = Delivery(stand_in, flush_interval_seconds=60.0)
    async with running(delivery):
        for partition in range(8):
            delivery.accept(partition, 10)
        await delivery.sink.drain(deadline_seconds=30.0)
        assert len(delivery.acked) == 8
    assert len(stand_in.ledger.accepted) == 80


async def test_a_check_reaches_segment(stand_in: SegmentStandIn) -> None:
    report = await SegmentApi(options(stand_in)).probe()
    (message_id,) = stand_in.ledger.accepted
    assert report.outcome is ProbeOutcome.ACCEPTED
    assert any(f"messageId {message_id}" in line for line in report.lines)


@pytest.mark.parametrize(
    ("endpoint", "says"),
    [
        ("http://127.0.0.1:1/v1/batch", "connection failed"),
        ("http://no-such-host.invalid/v1/batch", "host name cannot be resolved"),
    ],
)
async def test_a_check_says_why_segment_cannot_be_reached(stand_in: SegmentStandIn, endpoint: str, says: str) -> None:
    report = await SegmentApi(options(stand_in, endpoint=endpoint)).probe()
    assert report.outcome is ProbeOutcome.UNREACHABLE
    assert says in report.lines[-1]


async def test_a_server_without_trusted_tls_is_named_so(stand_in: SegmentStandIn) -> None:
    report = await SegmentApi(options(stand_in, endpoint=stand_in.endpoint.replace("http:", "https:"))).probe()
    assert report.outcome is ProbeOutcome.UNREACHABLE
    assert "certificate" in report.lines[-1]


async def test_bad_records_are_found_by_their_answers_and_stored_alone(stand_in: SegmentStandIn) -> None:
    delivery = Delivery(stand_in, lanes=1)
    delivery.accept(0, 400)
    delivery.accept(1, 400)
    bad = {"0-7", "0-8", "1-399"}
    stand_in.faults.order(Refuse(text='"0-7"'), times=None)
    letters = delivery.dead_letters.letters
    async with running(delivery):
        await delivery.all_acked(1)
        stand_in.faults.clear()
        delivery.accept(0, 1)
        await delivery.all_acked(3)
    assert [(letter.message.offset, letter.reason.value) for letter in letters] == [(7, "refused")]
    assert bad - {"0-7"} <= set(stand_in.ledger.accepted)
    delivery.given[0].remove("0-7")
    assert arrived_in_order(stand_in, delivery)
    assert len(stand_in.ledger.accepted) == 800
    assert len(stand_in.ledger.requests) < 30


async def test_requests_that_something_on_the_way_finds_too_large_are_split(stand_in: SegmentStandIn) -> None:
    stand_in.faults.order(Refuse(max_bytes=20_000), times=None)
    delivery = Delivery(stand_in, lanes=1)
    delivery.accept(0, 100)
    delivery.accept(1, 1, size=25_000)
    async with running(delivery):
        await delivery.all_acked(2)
    letters = delivery.dead_letters.letters
    assert [(letter.message.partition, letter.reason.value) for letter in letters] == [(1, "too_large")]
    delivery.given[1].clear()
    assert arrived_in_order(stand_in, delivery)
    assert len(stand_in.ledger.accepted) == 100


async def test_a_way_that_takes_smaller_requests_is_learnt_and_then_refuses_nothing_more(
    stand_in: SegmentStandIn,
) -> None:
    stand_in.faults.order(Refuse(max_bytes=90_000), times=None)
    delivery = Delivery(stand_in, lanes=2, max_batch_bytes=475_000)
    limit = partial(delivery.count, "request_batch_limit_bytes")
    refused = partial(delivery.count, "attempts_total", answer="4xx")
    assert limit() == 475_000
    with capture_logs() as logs:
        async with running(delivery):
            delivery.accept(0, 500)
            await delivery.all_acked(1)
            assert refused() == 3, "475,000, then about 220,000 and 110,000"
            assert 45_000 < limit() <= 90_000
            learnt = limit()
            for turn in range(1, 9):
                delivery.accept(turn % 4, 300)
            await delivery.all_acked(9)
    assert (refused(), limit()) == (3, learnt)
    assert len(stand_in.ledger.accepted) == 500 + 8 * 300
    assert arrived_in_order(stand_in, delivery)
    assert delivery.dead_letters.letters == []
    lessons = [line for line in logs if line.get("setting") == "PIPELINE_SEGMENT_MAX_BATCH_BYTES"]
    assert [(line["log_level"], line["limit_bytes"]) for line in lessons] == [("warning", learnt)]


async def test_a_400_for_everything_holds_with_few_requests_and_goes_on_when_it_ends(stand_in: SegmentStandIn) -> None:
    stand_in.faults.order(AnswerStatus(status=400), times=None)
    delivery = Delivery(stand_in, lanes=1, retry_max_seconds=0.3, max_batch_bytes=500_000)
    delivery.accept(0, 2_500, size=190)
    async with running(delivery):
        await delivery.holding()
        assert len(stand_in.ledger.requests) < 200
        assert "would become dead letters" in (delivery.sink.status().hold_reason or "")
        assert delivery.sink.status().holds == {HoldReason.BREAKER}
        stand_in.faults.clear()
        await delivery.all_acked(1)
    assert delivery.dead_letters.letters == []
    assert list(stand_in.ledger.accepted) == delivery.given[0]
    assert not delivery.sink.status().holding


async def test_a_rotated_write_key_ends_the_hold_of_the_old_one(stand_in: SegmentStandIn, tmp_path: Path) -> None:
    path = tmp_path / "write-key"
    path.write_text("k" * 32, encoding="utf-8")
    key = SecretFile(
        path,
        SecretStr("k" * 32),
        words="write key",
        problem_of=write_key_problem,
        metrics=CredentialsMetrics(CollectorRegistry(), destination="segment"),
    )
    stand_in.faults.order(AnswerStatus(status=400, body="An invalid write key was provided"), times=2)
    delivery = Delivery(stand_in, write_key=key.current)
    delivery.accept(0, 10)
    async with running(delivery):
        await delivery.holding()
        assert "write key is invalid" in (delivery.sink.status().hold_reason or "")
        path.write_text(WRITE_KEY, encoding="utf-8")
        await key.look()
        await delivery.all_acked(1)
    assert len(stand_in.ledger.accepted) == 10


async def test_all_lanes_together_keep_to_the_rate(stand_in: SegmentStandIn) -> None:
    delivery = Delivery(stand_in, lanes=4, max_records_per_second=400.0, max_requests_per_second=40.0)
    started = asyncio.get_running_loop().time()
    async with running(delivery):
        for partition in range(4):
            delivery.accept(partition, 20)
        await delivery.all_acked(4)
    assert asyncio.get_running_loop().time() - started >= 3 * 20 / 400
