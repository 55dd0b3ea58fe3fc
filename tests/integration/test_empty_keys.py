"""Rules with `tracked_only`, on a raw topic whose producer wrote placeholder words instead of user ids as keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from pipeline.kafka.partitioner import partition_for
from pipeline.settings.choices import Role
from tests.builders import raw_event
from tests.integration.clients import RawMessage
from tests.integration.pipeline_processes import PARTITIONS, running_pipeline
from tests.integration.test_end_to_end import write
from tests.integration.test_tracked_users import settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker

EVENTS = 100 * PARTITIONS
"""The number of events that the keying check reads if a topic has them in every partition."""
EVERY = 33
"""One event in this many has a placeholder word as its key: 3 %."""


def keyed(key: str, number: int, **parts: object) -> RawMessage:
    """Return an event with a key, in the partition that Kafka's default partitioner selects for it."""
    body = orjson.dumps(raw_event("message.push.sent", id=f"e-{number}", **parts))  # type: ignore[arg-type]
    return RawMessage(key=key.encode(), value=body, partition=partition_for(key.encode(), PARTITIONS))


def elsewhere(key: str, *users: str) -> str:
    """Return the first user whose partition differs from that of a key."""
    home = partition_for(key.encode(), PARTITIONS)
    return next(user for user in users if partition_for(user.encode(), PARTITIONS) != home)


def traffic(odd_keys: tuple[str, ...]) -> list[RawMessage]:
    users = [f"u-{number}" for number in range(50)]
    found = []
    for number in range(EVENTS):
        if number % EVERY:
            user = users[number % len(users)]
            found.append(keyed(user, number, external_id=user))
            continue
        key = odd_keys[number // EVERY % len(odd_keys)]
        other = elsewhere(key, *users)
        if number % 2:
            found.append(keyed(key, number, external_id=key, user={"external_id": other}))
        else:
            found.append(keyed(key, number, external_id=key, subscription_id=other))
    return found


@pytest.mark.parametrize("words", [("nan", "null"), ("[object Object]", "{{ event.external_id }}", "000")])
async def test_a_processor_starts_where_some_events_are_keyed_by_words_that_name_nobody(
    words: tuple[str, ...], broker: Broker, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path, partitions=PARTITIONS, **settings(broker, tmp_path)) as pipeline:
        await write(pipeline, traffic(words))
        processor = await pipeline.start(Role.PROCESSOR)
        assert await processor.said("/readyz", '"ready') == 200, pipeline.logs()
        assert await processor.stop() == 0, pipeline.logs()


async def test_a_processor_starts_where_they_are_keyed_by_words_of_the_user_s_own(
    broker: Broker, tmp_path: Path
) -> None:
    more = settings(broker, tmp_path, NOBODY_IDS="guest,1")
    async with running_pipeline(broker, tmp_path, partitions=PARTITIONS, **more) as pipeline:
        await write(pipeline, traffic(("guest", "1")))
        processor = await pipeline.start(Role.PROCESSOR)
        assert await processor.said("/readyz", '"ready') == 200, pipeline.logs()
        assert await processor.stop() == 0, pipeline.logs()


async def test_it_is_still_refused_where_they_are_keyed_by_another_user(broker: Broker, tmp_path: Path) -> None:
    messages = [
        keyed("u-other", number, external_id=elsewhere("u-other", *(f"u-{each}" for each in range(50))))
        if number % EVERY == 0
        else message
        for number, message in enumerate(traffic(("nan",)))
    ]
    async with running_pipeline(broker, tmp_path, partitions=PARTITIONS, **settings(broker, tmp_path)) as pipeline:
        await write(pipeline, messages)
        processor = await pipeline.start(Role.PROCESSOR)
        assert await processor.ended() == 1
        assert "need a raw topic that is keyed by user" in processor.log.read_text()
