from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from aiokafka.coordinator.protocol import ConsumerProtocol
from aiokafka.errors import InconsistentGroupProtocolError, KafkaConnectionError, KafkaError

from pipeline.stream.errors import GroupRefusedError
from pipeline.stream.foreign_members import (
    end_of_membership,
    foreign_members,
    pass_over_unreadable_members,
    refuse_unusable_assignments,
    shown,
)

TOPIC = "onesignal.events"
OURS = ConsumerProtocol.METADATA(0, [TOPIC], b"").encode()
NO_TOPIC = ConsumerProtocol.METADATA(0, [TOPIC, "somebody@example.org"], b"").encode()
UUID = "-11111111-2222-3333-4444-555555555555"


async def assigned(*members: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Return the members as aiokafka's own assignment sees them."""
    seen: list[tuple[Any, ...]] = []

    async def perform(response: Any) -> str:
        seen.extend(response.members)
        return "the assignment"

    coordinator = SimpleNamespace(_perform_assignment=perform)
    pass_over_unreadable_members(coordinator)
    assert await coordinator._perform_assignment(SimpleNamespace(members=list(members))) == "the assignment"
    return seen


@pytest.mark.parametrize(
    "metadata", [b"", b"\x00", b"\x00\x01\x00\x00\x00\x01\x00\x03\xff\xfe\xfd", b"\xff" * 40, NO_TOPIC]
)
@pytest.mark.parametrize("between", [(), (None,)])
async def test_a_member_that_cannot_be_understood_subscribes_to_nothing_and_is_named(
    metadata: bytes, between: tuple[None, ...]
) -> None:
    ours, strange = (f"worker{UUID}", *between, OURS), (f"pest@example.org{UUID}", *between, metadata)
    with structlog.testing.capture_logs() as lines:
        seen = await assigned(ours, strange)
    assert seen[0] == ours
    assert seen[1][:-1] == strange[:-1]
    assert ConsumerProtocol.METADATA.decode(seen[1][-1]).subscription == []
    ((told, count),) = [(line["members"], line["count"]) for line in lines]
    assert count == 1
    assert "example.org" not in told[0]


async def test_members_that_can_be_understood_are_left_alone() -> None:
    with structlog.testing.capture_logs() as lines:
        assert await assigned(("a", OURS), ("b", OURS)) == [("a", OURS), ("b", OURS)]
    assert lines == []


async def completed(assignment: bytes) -> list[tuple[Any, ...]]:
    """Return the arguments with which aiokafka's own end of a rebalance is called."""
    calls: list[tuple[Any, ...]] = []

    async def complete(*given: Any) -> None:
        calls.append(given)

    coordinator = SimpleNamespace(_on_join_complete=complete, _subscription=SimpleNamespace(topics={TOPIC}))
    refuse_unusable_assignments(coordinator)
    await coordinator._on_join_complete(7, "member", "roundrobin", assignment)
    return calls


@pytest.mark.parametrize("partitions", [[], [(TOPIC, [])], [(TOPIC, [0, 3])]])
async def test_an_assignment_of_our_topic_is_taken(partitions: list[tuple[str, list[int]]]) -> None:
    assignment = ConsumerProtocol.ASSIGNMENT(0, partitions, b"").encode()
    assert await completed(assignment) == [(7, "member", "roundrobin", assignment)]


@pytest.mark.parametrize(
    "assignment",
    [
        b"",
        b"\xff" * 40,
        b"\x00\x00\xff\xff\xff\xff",
        ConsumerProtocol.ASSIGNMENT(0, [(TOPIC, [0]), ("somebody@example.org", [0])], b"").encode(),
    ],
)
async def test_an_assignment_that_cannot_be_used_is_an_error_of_the_group_and_quotes_nothing(assignment: bytes) -> None:
    with pytest.raises(KafkaError) as refused:
        await completed(assignment)
    assert type(refused.value) is KafkaError
    assert "example.org" not in str(refused.value)
    assert refused.value.__context__ is None


class FakeClient:
    """Answers with the members of a group, or not at all."""

    def __init__(self, *members: tuple[str, str], error: Exception | None = None) -> None:
        self._members = [{"client_id": name, "client_host": host} for name, host in members]
        self._error = error
        self.asked: list[object] = []

    def get_random_node(self) -> str:
        return "some node"

    async def send(self, node: object, _request: object) -> Any:
        self.asked.append(node)
        if self._error is not None:
            raise self._error
        return SimpleNamespace(to_object=lambda: {"groups": [{"members": self._members}]})


async def test_whoever_is_none_of_ours_is_named_with_its_host() -> None:
    client = FakeClient(
        ("onesignal-pipeline-processor", "/10.0.0.1"), ("reports", "/192.168.10.12"), ("\x1b[2J", "/h\n")
    )
    assert await foreign_members(client, 7, "group") == ["?[2J at /h?", "reports at /192.168.10.12"]
    assert await foreign_members(client, None, "group") != []
    assert client.asked == [7, "some node"]


async def test_a_kafka_that_does_not_say_names_nobody() -> None:
    assert await foreign_members(FakeClient(error=KafkaConnectionError()), 7, "group") == []


def test_a_foreign_name_is_short_and_plain() -> None:
    assert shown("x" * 30 + "\u202e" + "y" * 99) == "x" * 30 + "?" + "y" * 29


@pytest.mark.parametrize(
    ("error", "is_named"),
    [
        (InconsistentGroupProtocolError(), True),
        (KafkaError("ValueError(b'foreign words')"), True),
        (KafkaConnectionError(), False),
    ],
)
async def test_what_somebody_else_does_to_a_group_ends_a_worker_with_that_name_and_none_of_its_words(
    error: KafkaError, *, is_named: bool
) -> None:
    consumer = SimpleNamespace(_client=FakeClient(("reports", "/h")), _coordinator=SimpleNamespace(coordinator_id=7))
    ended = await end_of_membership(error, consumer, "processors")
    if not is_named:
        assert ended is error
        return
    assert isinstance(ended, GroupRefusedError)
    assert "the consumer group processors" in str(ended)
    assert "reports at /h" in str(ended)
    assert "foreign words" not in str(ended)
