"""Import tracked users from a file, and read them back, as the settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.bootstrap.policy import nobody_ids
from pipeline.bootstrap.producer import now_ms
from pipeline.bootstrap.roles import processor_of, topic_use
from pipeline.bootstrap.state import mark_codec, user_hasher
from pipeline.core.billing_month import BillingMonth
from pipeline.core.ids import EmptyIds
from pipeline.kafka.connection import connection_options
from pipeline.kafka.producer import BatchProducer
from pipeline.kafka.topics import check_topics
from pipeline.processor.keying import ForeignKeysError, foreign_partitioning, latest
from pipeline.runtime.allocation import bound_unpacking
from pipeline.settings.mistakes import Mistake, variable
from pipeline.state.restoring import TrackedUsersTopics
from pipeline.tools.tracked_users.rows import BY_ID, HashRows, IdRows, months_at
from pipeline.tools.tracked_users.topics import UsersTopics, feed_users
from pipeline.tools.tracked_users.users_file import oldest_month_at, read_users

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pipeline.bootstrap.destinations.row import DestinationRow
    from pipeline.settings.sections import Settings
    from pipeline.tools.tracked_users.rows import RowReader
    from pipeline.tools.tracked_users.users_file import FileUsers


def tracking_mistakes(settings: Settings) -> Iterator[Mistake]:
    """List the settings that are missing to read tracked users."""
    yield from _unset(settings, "tracked_users_secret", "give the secret of the processors")


def feed_mistakes(settings: Settings, destination: DestinationRow) -> Iterator[Mistake]:
    """List the settings that are missing to import users."""
    field = destination.settings.setting("tracked_users_feed_topic")
    yield from _unset(settings, field, "name the topic from which processors import users")


def _unset(settings: Settings, field: str, remedy: str) -> Iterator[Mistake]:
    if settings.value(field) is None:
        yield Mistake(fields=(field,), text=f"{variable(field)} is not set: {remedy}.")


async def raw_partitions(settings: Settings, destination: DestinationRow) -> int:
    """Check the topics of a destination's processor, and return the number of partitions of the raw topic.

    Raises:
        TopicsError: a topic cannot be used; every fault is listed.
        KafkaUnreachableError: no broker can be reached.
    """
    use = topic_use(processor_of(destination), settings)
    found = await check_topics(connection_options(settings), settings, [use])
    return found[settings.raw_topic].partitions


def read_file(
    settings: Settings,
    destination: DestinationRow,
    file: Iterable[str],
    partitions: int,
    on_progress: Callable[[int], None],
) -> FileUsers:
    """Read a file of users for a raw topic with this many partitions.

    `on_progress` is called with the number of rows read so far.

    Raises:
        UsersFileError: the file has mistakes; all are listed.
    """
    hasher, now = user_hasher(settings), now_ms()
    month = BillingMonth(destination.billing_month_start_day(settings))
    months, empty_ids = months_at(now, month), EmptyIds(nobody_ids(settings))

    def reader_of(columns: tuple[str, ...]) -> RowReader:
        if columns == BY_ID:
            return IdRows(hasher=hasher, partitions=partitions, months=months, empty_ids=empty_ids)
        return HashRows(fingerprint=hasher.fingerprint.hex(), partitions=partitions, months=months)

    return read_users(file, reader_of, oldest_month=oldest_month_at(now, month), on_progress=on_progress)


async def check_partitioner(settings: Settings, partitions: int) -> None:
    """Check that the latest raw messages are in the partitions to which their users are imported.

    Raises:
        ForeignKeysError: another partitioner was used.
        KafkaUnreachableError: Kafka does not answer.
    """
    bound_unpacking(settings.max_unpacked_batch_bytes)
    messages = await latest(connection_options(settings), settings.raw_topic, partitions)
    if objection := foreign_partitioning(messages, partitions):
        raise ForeignKeysError(f"nothing was imported: {objection}")


async def feed(
    settings: Settings, destination: DestinationRow, users: FileUsers, on_progress: Callable[[int], None]
) -> None:
    """Write users to the feed topic, until all are confirmed; `on_progress` gets the number of users written so far."""
    own = destination.section(settings)
    if own.tracked_users_feed_topic is None:
        raise ValueError("a feed topic is required; loading the settings checks that")
    producer = BatchProducer(connection_options(settings))
    await producer.start()
    try:
        codec = mark_codec(own, user_hasher(settings), None)
        await feed_users(producer, own.tracked_users_feed_topic, users, codec, on_progress=on_progress)
    finally:
        await producer.stop()


def users_topics(settings: Settings, destination: DestinationRow) -> UsersTopics:
    """Return the reader of a destination's tracked users."""
    own, hasher = destination.section(settings), user_hasher(settings)
    codec = mark_codec(own, hasher, None)
    return UsersTopics(
        connection=connection_options(settings),
        topics=TrackedUsersTopics(topic=own.tracked_users_topic, codec=codec, feed=own.tracked_users_feed_topic),
        hasher=hasher,
        month=BillingMonth(destination.billing_month_start_day(settings)),
        now_ms=now_ms(),
    )
