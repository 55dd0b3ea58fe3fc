"""Deliver records to Segment: in order in each partition, in full batches, acknowledged when they are settled."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Final

from pipeline.core.breaker import Breaker, BreakerLimits
from pipeline.core.hold_reasons import HoldReason
from pipeline.core.messages import Partition
from pipeline.delivery.client import SegmentClient
from pipeline.delivery.decisions import RetryPolicy
from pipeline.delivery.doubts import Doubts
from pipeline.delivery.driver import LaneDriver
from pipeline.delivery.examination import SegmentRejectReason
from pipeline.delivery.holds import Holds
from pipeline.delivery.lane import Lane
from pipeline.delivery.pace import Pace
from pipeline.delivery.packing import LearntLimits, PackingLimits
from pipeline.delivery.status import SinkStatus
from pipeline.delivery.surroundings import Pause, Surroundings
from pipeline.metrics.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pipeline.core.messages import MessageBatch
    from pipeline.delivery.client import BatchClient
    from pipeline.delivery.examination import ReadAvro
    from pipeline.delivery.options import SegmentOptions
    from pipeline.kafka.dead_letters import DeadLetterStore
    from pipeline.metrics.delivery import DeliveryMetrics


SUMMARY_FIELDS: Final = ("batches", "records", "rejected", "requests", "repeated", "bytes")
"""Batches acknowledged, records accepted, records stored as dead letters; requests accepted, requests that repeated one
that failed, and bytes of those that were accepted. Each is counted when it happens."""


class SegmentSink:
    """Send what it accepts to Segment through lanes that run side by side.

    A batch is acknowledged when Segment has accepted every record of it, or a dead letter keeps it; then
    ``on_settled`` is called. The sink keeps references to what it was given, and bounds nothing: whoever calls
    `accept` bounds what is in hand.

    Args:
        options: How to reach Segment and how to fill requests.
        dead_letters: Where records go that Segment could not use.
        metrics: What is counted.
        on_settled: Called after batches were acknowledged.
        wall_clock: Seconds since the epoch, for `sentAt` and for dates in `Retry-After`.
        chance: Random numbers from 0 up to but not including 1, for backoff.
        connect: Makes the connection of a lane.
        store_retrying: Whether the storing of dead letters is being repeated.
        store_hold_reason: Why it cannot go on before somebody changes something; None while it can.
        store_holds: The same for metrics.
        read_avro: Gives the JSON of a record that was written as Avro; None where no schema registry is known.
    """

    def __init__(
        self,
        *,
        options: SegmentOptions,
        dead_letters: DeadLetterStore,
        metrics: DeliveryMetrics,
        on_settled: Callable[[], None] = lambda: None,
        wall_clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        connect: Callable[[SegmentOptions], BatchClient] = SegmentClient,
        store_retrying: Callable[[], bool] = lambda: False,
        store_hold_reason: Callable[[], str | None] = lambda: None,
        store_holds: Callable[[], Collection[HoldReason]] = frozenset,
        read_avro: ReadAvro | None = None,
    ) -> None:
        self._store_retrying = store_retrying
        self._store_hold_reason = store_hold_reason
        self._store_holds = store_holds
        self._metrics = metrics
        self._holds = Holds(wall_clock=wall_clock)
        limits = LearntLimits(PackingLimits(max_bytes=options.max_batch_bytes, max_records=options.max_batch_records))
        self._shared = shared = Surroundings(
            policy=RetryPolicy(
                base_seconds=options.retry_base_seconds,
                max_seconds=options.retry_max_seconds,
                retry_after_cap_seconds=options.retry_after_cap_seconds,
            ),
            max_batch_bytes=options.max_batch_bytes,
            limits=limits,
            dead_letters=dead_letters,
            metrics=metrics,
            holds=self._holds,
            doubts=Doubts(),
            pause=Pause(),
            pace=Pace(
                requests_per_second=options.max_requests_per_second,
                records_per_second=options.max_records_per_second,
            ),
            summary=Summary("records delivered", fields=SUMMARY_FIELDS),
            on_settled=on_settled,
            wall_clock=wall_clock,
            chance=chance,
        )
        breaker = Breaker(BreakerLimits(max_share=options.dead_letter_max_share, window=options.dead_letter_window))
        self._drivers = tuple(
            LaneDriver(
                number=number,
                lane=Lane(
                    limits=limits,
                    flush_interval_seconds=options.flush_interval_seconds,
                    breaker=breaker,
                    hold_seconds=options.retry_max_seconds,
                    read_avro=read_avro,
                ),
                client=connect(options),
                shared=shared,
            )
            for number in range(options.lanes)
        )
        for reason in SegmentRejectReason:
            metrics.rejected(reason, 0)
        metrics.breaker.watch(breaker)
        metrics.watch(self.state, lanes=options.lanes)

    async def run(self) -> None:
        """Drive all lanes until cancelled. A fault that is not an outcome ends all of them and is raised."""
        lanes = [asyncio.ensure_future(driver.run()) for driver in self._drivers]
        try:
            ended, _ = await asyncio.wait(lanes, return_when=asyncio.FIRST_COMPLETED)
            ended.pop().result()
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)
            self._shared.summary.close()

    def assigned(self, partitions: Collection[tuple[str, int]]) -> None:
        """Need nothing: a lane is found when the first batch comes."""

    def accept(self, *batches: MessageBatch, waited_seconds: float = 0.0) -> None:
        """Add each batch to the lane of its partition. Never blocks.

        `waited_seconds`, for which their oldest record may have waited before, is a part of the flush interval.
        """
        self._metrics.received(sum(len(batch.messages) for batch in batches))
        for batch in batches:
            self._drivers[lane_number(batch.partition, len(self._drivers))].accept(batch, waited_seconds=waited_seconds)

    async def drain(self, *, deadline_seconds: float) -> None:
        """Send what is in hand without waiting for full requests.

        Returns when everything is settled, or what is left cannot settle within ``deadline_seconds`` from now.
        """
        deadline = asyncio.get_running_loop().time() + deadline_seconds
        await asyncio.gather(*(driver.drain(deadline=deadline) for driver in self._drivers))

    async def revoke(self, partitions: Collection[Partition], *, timeout_seconds: float) -> None:
        """Give up partitions: let requests in flight settle for ``timeout_seconds``, then take them off the wire.

        Afterwards no request holds their records, and none of their unsettled batches will be acknowledged.
        """
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        await asyncio.gather(*(driver.revoke(partitions, deadline=deadline) for driver in self._drivers))

    def state(self) -> SinkStatus:
        """Tell how it goes."""
        lanes = [driver.lane for driver in self._drivers]
        return SinkStatus(
            hold_reason=self._holds.reason or self._store_hold_reason(),
            holds=frozenset[HoldReason]().union(*(lane.holds for lane in lanes), self._store_holds()),
            holding_since=self._holds.since,
            retrying=self._store_retrying() or any(lane.retrying for lane in lanes),
            on_purpose=frozenset[Partition]().union(
                *(lane.unreadable for lane in lanes),
                *(lane.partitions for lane in lanes if self._waits(lane) or self._stores_again(lane)),
                *(lane.queued for lane in lanes if self._is_at_work(lane)),
            ),
            lanes_in_flight=sum(lane.in_flight for lane in lanes),
            records_in_hand=sum(lane.records_in_hand for lane in lanes),
            bytes_in_hand=sum(lane.bytes_in_hand for lane in lanes),
            batch_limit_bytes=self._shared.limits.max_bytes,
        )

    def _waits(self, lane: Lane) -> bool:
        """Whether a lane waits on purpose: it is held, or repeats, or Segment asked all lanes for a pause."""
        return _is_to_come(self._shared.pause.until) or lane.hold is not None or lane.retrying or lane.backing_off

    def _stores_again(self, lane: Lane) -> bool:
        """Whether the storing of a lane's dead letters is being repeated."""
        repeats = self._shared.dead_letters.repeats
        return lane.storing and any(repeats(partition) for _, partition in lane.partitions)

    def _is_at_work(self, lane: Lane) -> bool:
        """Whether a lane does what it can: it has something under way, or keeps to the rate that all lanes share."""
        return lane.in_flight or lane.storing or _is_to_come(self._shared.not_before)


def _is_to_come(moment: float) -> bool:
    """Whether a time on the event loop's clock is in the future; 0, where nothing was sent yet, needs no loop."""
    return moment > 0 and moment > asyncio.get_running_loop().time()


def lane_number(partition: int, lanes: int) -> int:
    """Return the lane of a partition.

    Workers share partitions in turn, so with as many workers as lanes the remainder alone would put all partitions of
    a worker into one lane; each row of partitions starts one lane further.
    """
    return (partition + partition // lanes) % lanes
