from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from pipeline.kafka.partitioner import partition_for
from pipeline.local.traffic import traffic
from pipeline.local.traffic_stream import TICK_SECONDS, UNPACED_MESSAGES, Pace, TrafficStream
from pipeline.local.traffic_truth import Sort, TrafficMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.kafka.producer import OutboundMessage


@dataclass(slots=True)
class Written:
    """A writer that stores the messages of each partition."""

    partitions: dict[int, list[OutboundMessage]] = field(default_factory=dict)

    async def write(self, topic: str, partition: int, messages: Sequence[OutboundMessage]) -> None:
        assert topic == "raw"
        self.partitions.setdefault(partition, []).extend(messages)


def stream(writer: Written, *, rate: float = 0.0) -> TrafficStream:
    ticks = iter(range(1_000_000))
    return TrafficStream(
        topic="raw",
        partitions=3,
        writer=writer,
        pace=Pace(rate=rate, since=0.0),
        clock=lambda: next(ticks) * TICK_SECONDS,
    )


@pytest.mark.parametrize("rate", [0.5, 7, 1_234.5])
def test_over_time_the_rate_is_kept(rate: float) -> None:
    pace = Pace(rate=rate, since=0.0)
    due = sum(pace.due(tick / 10) for tick in range(1, 1_001))
    assert rate * 100 - 1 <= due <= rate * 100


def test_what_an_outage_held_up_is_not_written_in_a_burst() -> None:
    pace = Pace(rate=100, since=0.0)
    assert pace.due(3_600) == 100
    assert pace.due(3_600.125) == 12


def test_a_slow_pace_does_not_stand_still() -> None:
    pace = Pace(rate=0.1, since=0.0)
    assert [pace.due(seconds) for seconds in (5, 9.99, 10.01, 15, 20.02)] == [0, 0, 1, 0, 1]


def test_without_a_rate_as_much_is_due_as_one_write_takes() -> None:
    assert Pace(rate=0, since=0.0).due(0.0) == UNPACED_MESSAGES


@pytest.mark.parametrize(("rate", "events"), [(0.0, UNPACED_MESSAGES * 2), (0.0, 7), (2_000.0, 900)])
async def test_every_message_is_written_once_in_the_order_of_its_user(rate: float, events: int) -> None:
    writer = Written()
    writing = stream(writer, rate=rate)
    await writing.write(traffic(seed=3, events=events))
    made = [(each.key, each.value) for each in traffic(seed=3, events=events)]
    assert writing.written == events
    for partition in range(3):
        found = [(each.key, each.value) for each in writer.partitions.get(partition, []) if each.key is not None]
        assert found == [each for each in made if each[0] is not None and partition_for(each[0], 3) == partition]
    keyless = sorted(each.value or b"" for messages in writer.partitions.values() for each in messages if not each.key)
    assert keyless == sorted(value or b"" for key, value in made if not key)


async def test_messages_without_a_key_are_spread() -> None:
    writer = Written()
    await stream(writer).write(iter([TrafficMessage(None, b"?", Sort.UNREADABLE)] * 6))
    assert {partition: len(messages) for partition, messages in writer.partitions.items()} == {0: 2, 1: 2, 2: 2}
