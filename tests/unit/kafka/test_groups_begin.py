"""How a group begins, with a consumer that answers as the test defines."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiokafka
import pytest
from aiokafka.errors import CommitFailedError, KafkaConnectionError
from aiokafka.structs import OffsetAndMetadata
from structlog.testing import capture_logs

from pipeline.kafka.errors import GroupOffsetsLostError, KafkaUnreachableError
from pipeline.kafka.groups import KnownSource, Source, begin_group
from pipeline.settings.choices import GroupStart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOW = b"\x02" * 16
OURS = f"topic-id={NOW.hex()}"
RECORDS = Source(topic="records", partitions=2)
RAW = Source(topic="raw", partitions=2, outcome="records", outcome_partitions=1)


class FakeConsumer:
    """A consumer of a group (`aiokafka.AIOKafkaConsumer`), with its cluster."""

    def __init__(self, committed: Mapping[int, tuple[int, str]], starts: Sequence[int]) -> None:
        self._committed = committed
        self._starts = starts
        self.outcome_end = 0
        self.error: Exception | None = None
        self.commits: list[Mapping[aiokafka.TopicPartition, tuple[int, str]]] = []
        self.arguments: dict[str, Any] = {}
        self.started = False
        self.stopped = False
        self.assigned: list[aiokafka.TopicPartition] = []
        self.paused: list[aiokafka.TopicPartition] = []
        self._client = self
        self._coordinator = self

    def __call__(self, **arguments: Any) -> FakeConsumer:
        self.arguments = arguments
        return self

    async def start(self) -> None:
        self.started = True

    async def stop(self) -> None:
        self.stopped = True

    def get_random_node(self) -> int:
        return 0

    async def send(self, node: int, request: object) -> Any:
        del node, request
        return SimpleNamespace(to_object=lambda: {"topics": [{"topic_id": NOW}]})

    def assign(self, partitions: Sequence[aiokafka.TopicPartition]) -> None:
        assert self.started
        self.assigned += partitions

    def pause(self, *partitions: aiokafka.TopicPartition) -> None:
        self.paused += partitions

    async def fetch_committed_offsets(self, partitions: Sequence[aiokafka.TopicPartition]) -> Mapping[Any, Any]:
        return {each: OffsetAndMetadata(*self._committed.get(each.partition, (-1, ""))) for each in partitions}

    async def beginning_offsets(self, partitions: Sequence[aiokafka.TopicPartition]) -> Mapping[Any, int]:
        return {each: self._starts[each.partition] for each in partitions}

    async def end_offsets(self, partitions: Sequence[aiokafka.TopicPartition]) -> Mapping[Any, int]:
        return dict.fromkeys(partitions, self.outcome_end)

    async def commit(self, offsets: Mapping[aiokafka.TopicPartition, tuple[int, str]]) -> None:
        if self.error is not None:
            raise self.error
        self.commits.append(offsets)


def at(partition: int, topic: str = "records") -> aiokafka.TopicPartition:
    return aiokafka.TopicPartition(topic, partition)


async def begin(
    consumer: FakeConsumer,
    monkeypatch: pytest.MonkeyPatch,
    source: Source = RECORDS,
    start: GroupStart = GroupStart.AUTO,
) -> KnownSource:
    monkeypatch.setattr("aiokafka.AIOKafkaConsumer", consumer)
    return await begin_group({"bootstrap_servers": "k:9092"}, group="g", source=source, start=start)


async def test_a_first_start_commits_the_start_of_every_partition_in_the_name_of_its_topic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consumer = FakeConsumer({}, [0, 0])
    known = await begin(consumer, monkeypatch)
    assert consumer.commits == [{at(0): (0, OURS), at(1): (0, OURS)}]
    assert known == KnownSource(partitions=2, begun=frozenset({0, 1}), identity=NOW)
    assert consumer.stopped


async def test_a_group_that_has_begun_commits_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = FakeConsumer({0: (5, OURS), 1: (0, "")}, [0, 0])
    assert (await begin(consumer, monkeypatch)).begun == {0, 1}
    assert consumer.commits == []


@pytest.mark.parametrize("former", [b"\x01" * 16, b"\x03" * 16])
async def test_an_offset_that_was_committed_for_a_former_topic_of_the_name_is_not_used(
    former: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = FakeConsumer({0: (5, OURS), 1: (900, f"topic-id={former.hex()}")}, [0, 0])
    with pytest.raises(GroupOffsetsLostError, match=r"the topic of records\[1\] was deleted and recreated"):
        await begin(consumer, monkeypatch)
    assert consumer.commits == []
    known = await begin(consumer, monkeypatch, start=GroupStart.EARLIEST)
    assert consumer.commits == [{at(1): (0, OURS)}]
    assert known.begun == {0, 1}


async def test_only_what_was_not_begun_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = FakeConsumer({0: (5, OURS)}, [3, 0])
    await begin(consumer, monkeypatch)
    assert consumer.commits == [{at(1): (0, OURS)}]


async def test_a_processor_that_wrote_before_does_not_begin_again(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = FakeConsumer({}, [0, 0])
    consumer.outcome_end = 12
    with pytest.raises(GroupOffsetsLostError, match="`records` has already been written to"):
        await begin(consumer, monkeypatch, RAW)
    assert consumer.commits == []
    assert consumer.stopped


async def test_a_group_with_members_takes_no_such_commit_and_its_missing_offsets_are_not_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consumer = FakeConsumer({0: (5, OURS)}, [0, 0])
    consumer.error = CommitFailedError()
    assert (await begin(consumer, monkeypatch)).begun == {0}


async def test_beginning_reads_nothing_and_commits_nothing_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = FakeConsumer({}, [0, 0])
    await begin(consumer, monkeypatch)
    assert consumer.assigned == consumer.paused == [at(0), at(1)]
    assert consumer.arguments == {
        "bootstrap_servers": "k:9092",
        "group_id": "g",
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
    }


async def test_beginning_at_the_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with capture_logs() as logs:
        await begin(FakeConsumer({0: (5, OURS)}, [3, 2]), monkeypatch, start=GroupStart.EARLIEST)
    assert [(line["log_level"], line["group"], line["topic"], line["offsets"]) for line in logs] == [
        ("warning", "g", "records", {"1": 2})
    ]


@pytest.mark.parametrize(
    ("error", "told"), [(KafkaConnectionError("gone"), "gone"), (TimeoutError(), r"group g: TimeoutError\.")]
)
async def test_kafka_that_does_not_answer_is_told_in_words(
    error: Exception, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = FakeConsumer({}, [0, 0])
    consumer.error = error
    with pytest.raises(KafkaUnreachableError, match=told):
        await begin(consumer, monkeypatch)
    assert consumer.stopped
