from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.errors import IncompatibleBrokerVersion

from pipeline.bootstrap.roles import topic_uses
from pipeline.core.destinations.segment.limits import MAX_RECORD_BYTES
from pipeline.kafka import topic_configuration
from pipeline.kafka.topic_configuration import (
    differences,
    message_bytes,
    read_configuration,
)
from pipeline.kafka.topics import FoundTopic, find_faults
from pipeline.settings import Role, load_settings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from aiokafka.admin.config_resource import ConfigResource

    from pipeline.settings import Settings

BOTH = (Role.PROCESSOR, Role.SEGMENT_SINK)
SETTINGS = load_settings({})
RECORD_BYTES = message_bytes(MAX_RECORD_BYTES)
DEFAULT = 1_048_588


def size_faults(limits: dict[str, dict[str, str]], settings: Settings, roles: Collection[Role]) -> tuple[str, ...]:
    return topic_configuration.size_faults(limits, topic_uses(roles, settings))


def size_warnings(limits: dict[str, dict[str, str]], settings: Settings, roles: Collection[Role]) -> Iterator[str]:
    return topic_configuration.size_warnings(limits, settings, topic_uses(roles, settings))


class _Answer:
    def __init__(self, *resources: tuple[int, str, int, str, list[tuple[str, str | None, bool]]]) -> None:
        self.resources = resources


class _Client:
    """A cluster that answers one DescribeConfigs request."""

    def __init__(self, answer: _Answer | Exception) -> None:
        self._answer = answer
        self.asked: list[str] = []

    async def describe_configs(self, resources: list[ConfigResource]) -> list[_Answer]:
        self.asked += [resource.name for resource in resources]
        if isinstance(self._answer, Exception):
            raise self._answer
        return [self._answer]


def _limits(**limits: int) -> dict[str, dict[str, str]]:
    names = {"raw": "onesignal.events", "records": "segment.records", "dead_letters": "onesignal.dead-letters"}
    return {names[role]: {"max.message.bytes": str(limit)} for role, limit in limits.items()}


async def _read(answer: _Answer | Exception) -> dict[str, dict[str, str]]:
    client: Any = _Client(answer)
    return await read_configuration(client, ["a", "b"])


async def test_what_the_cluster_tells_is_read() -> None:
    told = _Answer((0, "", 2, "a", [("retention.ms", "1", False), ("x", None, False)]), (29, "may not", 2, "b", []))
    assert await _read(told) == {"a": {"retention.ms": "1"}}


@pytest.mark.parametrize("value", ["", "1 GB", "1.5", "NaN", "inf", "٣", "1" * 5_000, None])
async def test_a_number_that_is_none_is_as_if_the_cluster_did_not_tell_it(value: str | None) -> None:
    told = [("min.insync.replicas", value, False), ("retention.ms", "-1", False), ("cleanup.policy", "", False)]
    configured = (await _read(_Answer((0, "", 2, "onesignal.events", told))))["onesignal.events"]
    assert configured == {"retention.ms": "-1", "cleanup.policy": ""}


@pytest.mark.parametrize("error", [IncompatibleBrokerVersion("unknown"), TimeoutError()])
async def test_a_cluster_that_does_not_answer_tells_nothing(error: Exception) -> None:
    assert await _read(error) == {}


def test_what_differs_from_the_settings_is_named_and_a_larger_limit_is_as_good() -> None:
    wanted = {"retention.ms": "10", "compression.type": "lz4", "cleanup.policy": "delete", "max.message.bytes": "5"}
    there = {"retention.ms": "20", "compression.type": "lz4", "max.message.bytes": "6"}
    assert differences(wanted, there) == ("retention.ms=20 (the settings say 10)",)
    assert differences(wanted, {"max.message.bytes": "4"}) == ("max.message.bytes=4 (the settings say 5)",)
    assert differences(wanted, {}) == ()


def test_a_dead_letter_topic_that_takes_less_than_a_raw_message_with_headers_is_a_warning() -> None:
    (warning,) = size_warnings(_limits(raw=DEFAULT, dead_letters=DEFAULT), SETTINGS, BOTH)
    assert "`onesignal.dead-letters` refuses messages of more than 1048588 bytes (max.message.bytes)" in warning
    assert "Raise the former to at least 1049612" in warning
    for enough in (_limits(raw=DEFAULT, dead_letters=2 * DEFAULT), _limits(raw=DEFAULT), _limits(dead_letters=1), {}):
        assert list(size_warnings(enough, SETTINGS, BOTH)) == []
    assert list(size_warnings(_limits(raw=DEFAULT, dead_letters=DEFAULT), SETTINGS, [Role.SEGMENT_SINK])) == []


@pytest.mark.parametrize(("topic", "role"), [("raw", Role.PROCESSOR), ("records", Role.SEGMENT_SINK)])
def test_a_topic_of_which_one_fetch_brings_more_than_memory_is_counted_for_is_a_warning(topic: str, role: Role) -> None:
    larger = _limits(**{topic: DEFAULT + 1})
    (warning,) = size_warnings(larger, SETTINGS, BOTH)
    assert "accepts batches of up to 1048589 bytes (max.message.bytes)" in warning
    assert "set PIPELINE_FETCH_MAX_BYTES to 1048589" in warning
    assert list(size_warnings(larger, SETTINGS, [role])) == [warning]
    assert list(size_warnings(larger, SETTINGS, [other for other in BOTH if other is not role])) == []
    assert list(size_warnings(_limits(**{topic: DEFAULT}), SETTINGS, BOTH)) == []
    fetched = load_settings({"PIPELINE_FETCH_MAX_BYTES": str(DEFAULT + 1)})
    assert list(size_warnings(larger, fetched, BOTH)) == []


def test_a_topic_that_takes_no_record_is_a_fault() -> None:
    small = _limits(raw=10, records=RECORD_BYTES - 1, dead_letters=RECORD_BYTES - 1)
    assert [fault.split("`")[1] for fault in size_faults(small, SETTINGS, BOTH)] == [
        "segment.records",
        "onesignal.dead-letters",
    ]
    assert [fault.split("`")[1] for fault in size_faults(small, SETTINGS, [Role.SEGMENT_SINK])] == [
        "onesignal.dead-letters"
    ]
    assert size_faults(_limits(records=RECORD_BYTES, dead_letters=RECORD_BYTES), SETTINGS, BOTH) == ()
    found = {name: FoundTopic(partitions=1, configuration=each) for name, each in small.items()}
    assert len(find_faults(found, SETTINGS, topic_uses(BOTH, SETTINGS))) == 2
