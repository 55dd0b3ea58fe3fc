"""The batches of a lane that wait for a request, examined only as far as the next request needs them.

JSON that was decoded from Avro is kept beside its message. So a lane keeps the JSON of one waiting request, of one in
flight, and of at most one batch more. While the destination is unavailable, the other batches stay undecoded.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from pipeline.delivery.examination import examine
from pipeline.delivery.packing import Backlog
from pipeline.delivery.request_batch import RequestBatch, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pipeline.core.messages import Partition
    from pipeline.delivery.api import Api
    from pipeline.delivery.examination import ReadAvro
    from pipeline.delivery.limits import LearntLimits
    from pipeline.delivery.request_batch import BatchInHand


class Intake:
    """Batches in order of arrival, from which request batches are filled."""

    def __init__(
        self,
        *,
        api: Api,
        limits: LearntLimits,
        read_avro: ReadAvro | None,
        latest_time: Callable[[], float] | None = None,
    ) -> None:
        self.backlog = Backlog(limits)
        self._api = api
        self._read_avro = read_avro
        self._latest_time = latest_time
        self._unexamined: deque[BatchInHand] = deque()  # empty unless the backlog fills a request
        self._unreadable: dict[Partition, bytes] = {}

    @property
    def unreadable(self) -> Mapping[Partition, bytes]:
        """The partitions that stopped at an unknown format version, with that version."""
        return self._unreadable

    def sources(self) -> list[BatchInHand]:
        """Return the batches with records that wait to be sent."""
        return [*self.backlog.sources(), *self._unexamined]

    def add(self, source: BatchInHand) -> None:
        """Append a batch."""
        self._unexamined.append(source)
        self._fill()

    def take(self) -> RequestBatch:
        """Remove the oldest records, as many as fit into one request, and return them."""
        taken = self.backlog.take()
        self._fill()
        return taken

    def remove(self, partitions: Collection[Partition]) -> None:
        """Remove the waiting records of these partitions. The others keep their order."""
        self.backlog.remove(partitions)
        self._unexamined = deque(source for source in self._unexamined if source.partition not in partitions)
        self._fill()

    def forget(self, partitions: Collection[Partition]) -> None:
        """Forget the format versions at which these partitions stopped."""
        for partition in partitions:
            self._unreadable.pop(partition, None)

    def _fill(self) -> None:
        """Examine batches, oldest first, until the backlog fills a request."""
        while self._unexamined and not self.backlog.fills_a_request:
            source = self._unexamined.popleft()
            if source.partition not in self._unreadable:
                self._examine(source)

    def _examine(self, source: BatchInHand) -> None:
        latest = float("inf") if self._latest_time is None else self._latest_time()
        seen = examine(source.batch.messages, api=self._api, read_avro=self._read_avro, latest_time=latest)
        if seen.records or seen.letters:
            self.backlog.append(
                Run(
                    source=source,
                    records=seen.records,
                    messages=seen.messages,
                    times=seen.times,
                    letters=seen.letters,
                )
            )
        if seen.unknown_format is not None:
            self._unreadable[source.partition] = seen.unknown_format
