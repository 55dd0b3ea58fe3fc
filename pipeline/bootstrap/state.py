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

    from pipeline.kafka.connection import ConnectionOptions
    from pipeline.kafka.producer import BatchProducer
    from pipeline.settings.sections import Settings


def user_hasher(settings: Settings) -> UserHasher:
    """Return the hasher of users; without a secret its hashes are never stored."""
    secret = settings.tracked_users_secret
    return UserHasher("" if secret is None else secret.get_secret_value())


def mark_codec(settings: Settings, hasher: UserHasher, raw_topic_id: bytes | None) -> MarkCodec:
    """Make what writes and reads the entries of the raw topic that has this id."""
    epoch = NO_EPOCH if raw_topic_id is None else raw_topic_id[: len(NO_EPOCH)]
    return MarkCodec(fingerprint=hasher.fingerprint, epoch=epoch, topic=settings.segment.tracked_users_topic)


@asynccontextmanager
async def open_state(
    settings: Settings,
    connection: ConnectionOptions,
    producer: BatchProducer,
    raw_topic_id: bytes | None,
    *,
    now_ms: Callable[[], int] = now_ms,
) -> AsyncIterator[StateStore]:
    """Build the state store; it stops following its topics at the end.

    `now_ms` decides which months are read back; with a wrong clock, months that are needed would be missing.
    """
    hasher, follower = user_hasher(settings), Follower(connection)
    tracked = catalogue = None
    if settings.tracked_users_secret is not None:
        codec = mark_codec(settings, hasher, raw_topic_id)
        tracked = TrackedUsersTopics(
            topic=settings.segment.tracked_users_topic, codec=codec, feed=settings.segment.tracked_users_feed_topic
        )
    if settings.message_catalogue:
        catalogue = CatalogueTopic(
            topic=settings.segment.message_catalogue_topic,
            messages=MessageCatalogue(days=settings.message_catalogue_days),
        )
    try:
        yield StateStore(
            connection=connection,
            producer=producer,
            follower=follower,
            hasher=hasher,
            month=BillingMonth(settings.billing_month_start_day),
            now_ms=now_ms,
            tracked=tracked,
            catalogue=catalogue,
        )
    finally:
        await follower.close()
