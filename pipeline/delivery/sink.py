"""Deliver records to a destination, each partition in order, and acknowledge message batches when settled."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

from pipeline.core.breaker import Breaker, BreakerLimits
from pipeline.core.hold_reasons import HoldReason
from pipeline.core.messages import Partition
from pipeline.delivery.decisions import RetryPolicy
from pipeline.delivery.driver import LaneDriver
from pipeline.delivery.exchange import Exchange
from pipeline.delivery.lane import Lane
from pipeline.delivery.limits import LearntLimits
from pipeline.delivery.pace import Pace
from pipeline.delivery.report import DeliveryReport
from pipeline.delivery.status import SinkStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pipeline.core.messages import MessageBatch
    from pipeline.delivery.api import Api
    from pipeline.delivery.examination import ReadAvro
    from pipeline.delivery.options import DeliveryOptions
    from pipeline.kafka.dead_letters import DeadLetterStore
    from pipeline.metrics.delivery import DeliveryMetrics


class Sink:
    """Send message batches to a destination through lanes that run in parallel.

    A message batch is acknowledged when every record of it was accepted by the destination or stored as a dead letter;
    then ``on_settled`` is called. The sink keeps a reference to every unsettled batch. Its caller limits how many there
    are.

    Args:
        api: The destination.
        options: How many lanes, and how to fill and retry requests.
        dead_letters: Stores the rejected records.
        metrics: The counters.
        on_settled: Called after batches were acknowledged.
        wall_clock: Returns seconds since the epoch, for the time of sending and for dates in `Retry-After`.
        chance: Returns random numbers from 0 up to but not including 1, for backoff.
        read_avro: Returns the JSON of a record in Avro; None if no schema registry is set.
    """

    def __init__(
        self,
        *,
        api: Api,
        options: DeliveryOptions,
        dead_letters: DeadLetterStore,
        metrics: DeliveryMetrics,
        on_settled: Callable[[], None] = lambda: None,
        wall_clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        read_avro: ReadAvro | None = None,
    ) -> None:
        policy = RetryPolicy(
            base_seconds=options.retry_base_seconds,
            max_seconds=options.retry_max_seconds,
            retry_after_cap_seconds=options.retry_after_cap_seconds,
            added_jitter_seconds=options.added_jitter_seconds,
        )
        self._dead_letters = dead_letters
        self._limits = LearntLimits(api.limits)
        self._pace = Pace(
            requests_per_second=options.max_requests_per_second, records_per_second=options.max_records_per_second
        )
        self._report = DeliveryReport(api=api, metrics=metrics, limits=self._limits, wall_clock=wall_clock)
        breaker = Breaker(BreakerLimits(max_share=options.dead_letter_max_share, window=options.dead_letter_window))
        exchange = Exchange(api=api, policy=policy, wall_clock=wall_clock, chance=chance)
        ahead = api.max_seconds_ahead
        self._drivers = tuple(
            LaneDriver(
                number=number,
                lane=Lane(
                    api=api,
                    limits=self._limits,
                    flush_interval_seconds=options.flush_interval_seconds,
                    breaker=breaker,
                    hold_seconds=options.retry_max_seconds,
                    read_avro=read_avro,
                    latest_time=None if ahead is None else lambda: wall_clock() + ahead,
                ),
                client=api.connect(),
                exchange=exchange,
                pace=self._pace,
                dead_letters=dead_letters,
                report=self._report,
                on_settled=on_settled,
            )
            for number in range(options.lanes)
        )
        for reason in api.reject_reasons:
            metrics.rejected(reason, 0)
        metrics.breaker.watch(breaker)
        metrics.watch(self.status, lanes=options.lanes)

    async def run(self) -> None:
        """Drive all lanes until cancelled. An error that is not an outcome ends all lanes and is raised."""
        lanes = [asyncio.ensure_future(driver.run()) for driver in self._drivers]
        try:
            ended, _ = await asyncio.wait(lanes, return_when=asyncio.FIRST_COMPLETED)
            ended.pop().result()
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)
            self._report.close()

    def assigned(self, partitions: Collection[Partition]) -> None:
        """Called when partitions are assigned. Nothing to prepare: the partition number selects the lane."""

    def accept(self, *batches: MessageBatch, waited_seconds: float = 0.0) -> None:
        """Add each batch to the lane of its partition. Never blocks.

        ``waited_seconds`` is how long their oldest record may have waited before; it is part of the flush interval.
        """
        self._report.received(sum(len(batch.messages) for batch in batches))
        for batch in batches:
            self._drivers[lane_number(batch.partition, len(self._drivers))].accept(batch, waited_seconds=waited_seconds)

    async def drain(self, *, deadline_seconds: float) -> None:
        """Send what is in hand without waiting for full requests.

        Return when everything is settled, or when the rest cannot settle within ``deadline_seconds`` from now.
        """
        deadline = asyncio.get_running_loop().time() + deadline_seconds
        await asyncio.gather(*(driver.drain(deadline=deadline) for driver in self._drivers))

    async def revoke(self, partitions: Collection[Partition], *, timeout_seconds: float) -> None:
        """Release partitions. Requests in flight may settle for ``timeout_seconds``; then they are cancelled.

        Afterwards no request contains records of these partitions, and none of their batches is acknowledged.
        """
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        await asyncio.gather(*(driver.revoke(partitions, deadline=deadline) for driver in self._drivers))

    def status(self) -> SinkStatus:
        """Return the current status."""
        lanes = [driver.lane for driver in self._drivers]
        return SinkStatus(
            hold_reason=self._report.holds.reason or self._dead_letters.hold_reason,
            holds=frozenset[HoldReason]().union(*(lane.holds for lane in lanes), self._dead_letters.holds),
            holding_since=self._report.holds.since,
            retrying=self._dead_letters.retrying or any(lane.retrying for lane in lanes),
            on_purpose=frozenset[Partition]().union(
                *(lane.unreadable for lane in lanes),
                *(lane.partitions for lane in lanes if self._waits(lane) or self._stores_again(lane)),
                *(lane.queued for lane in lanes if self._is_busy(lane)),
            ),
            lanes_in_flight=sum(lane.in_flight for lane in lanes),
            records_in_hand=sum(lane.records_in_hand for lane in lanes),
            bytes_in_hand=sum(lane.bytes_in_hand for lane in lanes),
            batch_limit_bytes=self._limits.max_bytes,
        )

    def _waits(self, lane: Lane) -> bool:
        """Return whether a lane waits on purpose: it holds, it retries, or the destination asked for a pause."""
        return _is_to_come(self._pace.paused_until) or lane.hold is not None or lane.retrying or lane.backing_off

    def _stores_again(self, lane: Lane) -> bool:
        """Return whether a write of a lane's dead letters is being retried."""
        repeats = self._dead_letters.repeats
        return lane.storing and any(repeats(partition) for _, partition in lane.partitions)

    def _is_busy(self, lane: Lane) -> bool:
        """Return whether a lane is busy: something is in flight, or it waits for the rate limit."""
        return lane.in_flight or lane.storing or _is_to_come(self._pace.ready_at)


def _is_to_come(moment: float) -> bool:
    """Return whether a time on the event loop's clock is in the future. 0 means never; it needs no running loop."""
    return moment > 0 and moment > asyncio.get_running_loop().time()


def lane_number(partition: int, lanes: int) -> int:
    """Return the lane of a partition.

    Partitions are assigned to workers round-robin. With as many workers as lanes, the remainder alone would put all
    partitions of a worker into one lane, so each round of partitions starts one lane further.
    """
    return (partition + partition // lanes) % lanes
