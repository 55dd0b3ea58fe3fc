"""Build the state of a processor from the settings."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pipeline.bootstrap.producer import now_ms
from pipeline.core.billing_month import BillingMonth
from pipeline.state.following import Follower
from pipeline.state.message_catalogue import MessageCatalogue
from pipeline.state.restoring import TrackedUsersTopics
from pipeline.state.store import CatalogueTopic, StateStore
from pipeline.state.stored_marks import NO_EPOCH, MarkCodec
from pipeline.state.tracked_users import UserHasher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pipeline.bootstrap.destinations.row import DestinationRow
    from pipeline.kafka.connection import ConnectionOptions
    from pipeline.kafka.producer import BatchProducer
    from pipeline.settings.destination_section import DestinationSettings
    from pipeline.settings.sections import Settings


def user_hasher(settings: Settings) -> UserHasher:
    """Return the hasher of users; without a secret its hashes are never stored."""
    secret = settings.tracked_users_secret
    return UserHasher("" if secret is None else secret.get_secret_value())


def mark_codec(own: DestinationSettings, hasher: UserHasher, raw_topic_id: bytes | None) -> MarkCodec:
    """Make what writes and reads the entries of the raw topic that has this id."""
    epoch = NO_EPOCH if raw_topic_id is None else raw_topic_id[: len(NO_EPOCH)]
    return MarkCodec(fingerprint=hasher.fingerprint, epoch=epoch, topic=own.tracked_users_topic)


@asynccontextmanager
async def open_state(
    settings: Settings,
    destination: DestinationRow,
    connection: ConnectionOptions,
    producer: BatchProducer,
    raw_topic_id: bytes | None,
    *,
    now_ms: Callable[[], int] = now_ms,
) -> AsyncIterator[StateStore]:
    """Build the state store of a destination's processor; it stops following its topics at the end.

    `now_ms` decides which months are read back; with a wrong clock, months that are needed would be missing.
    """
    own, hasher, follower = destination.section(settings), user_hasher(settings), Follower(connection)
    tracked = catalogue = None
    if settings.tracked_users_secret is not None:
        codec = mark_codec(own, hasher, raw_topic_id)
        tracked = TrackedUsersTopics(topic=own.tracked_users_topic, codec=codec, feed=own.tracked_users_feed_topic)
    if settings.message_catalogue:
        catalogue = CatalogueTopic(
            topic=own.message_catalogue_topic,
            messages=MessageCatalogue(days=settings.message_catalogue_days),
        )
    try:
        yield StateStore(
            connection=connection,
            producer=producer,
            follower=follower,
            hasher=hasher,
            month=BillingMonth(destination.billing_month_start_day(settings)),
            now_ms=now_ms,
            tracked=tracked,
            catalogue=catalogue,
        )
    finally:
        await follower.close()
