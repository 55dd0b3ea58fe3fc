"""`tracked-users`: import, export and count tracked users."""

from __future__ import annotations

import asyncio
import io
import time
from functools import partial
from typing import TYPE_CHECKING, Final

import click

from pipeline.cli.context import Invocation, pass_invocation
from pipeline.cli.destinations import destination_option
from pipeline.output.printing import say, say_error
from pipeline.settings.choices import Requirement

if TYPE_CHECKING:
    from pipeline.bootstrap.destinations.row import DestinationRow
    from pipeline.settings.loading import Check
    from pipeline.settings.sections import Settings
    from pipeline.tools.tracked_users.users_file import FileUsers

_MISTAKE: Final = 2
_TELL_SECONDS: Final = 2.0


@click.group("tracked-users")
def tracked_users() -> None:
    """Import, export and count tracked users."""


@tracked_users.command("import")
@click.argument("file", metavar="FILE.csv|-", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@destination_option
@pass_invocation
def import_users(invocation: Invocation, file: str, destination: DestinationRow) -> int:
    """Import users whom the destination has already counted.

    Processors then treat them as tracked, as if their events had come through the pipeline.

    \b
    FILE is CSV with a header, one user per line:
      user_id          the userId of their events, else the anonymousId
      month            optional: 2026-11 or 2026-11-01; the current month by default
    or the output of `export`. `-` is standard input.

    Nothing is imported if any line is invalid. Importing a file again changes nothing. Only hashes are written to
    Kafka. The raw topic must be partitioned by Kafka's default partitioner (murmur2), because users are stored in the
    partition of their events.
    """
    from pipeline.bootstrap import tls_mistakes
    from pipeline.bootstrap.tracked_users import (
        check_partitioner,
        feed,
        feed_mistakes,
        raw_partitions,
        tracking_mistakes,
    )
    from pipeline.tools.tracked_users.tables import counts_by_month
    from pipeline.tools.tracked_users.users_file import UsersFileError

    checks: list[Check] = [tls_mistakes, tracking_mistakes, partial(feed_mistakes, destination=destination)]
    settings = invocation.settings([Requirement.KAFKA], checks)
    partitions = asyncio.run(raw_partitions(settings, destination))
    try:
        users = _read(settings, destination, file, partitions)
    except UsersFileError as error:
        say_error(*str(error).split("\n"), "Nothing was imported.")
        return _MISTAKE
    if users.by_key:
        asyncio.run(check_partitioner(settings, partitions))
    counts = users.counts()
    asyncio.run(feed(settings, destination, users, _Progress("users written").show))
    if users.over:
        say_error(f"Skipped, because their month is over: {_lines(users.over)}.")
    imported = counts_by_month(counts) or "no users"
    feed_topic = destination.section(settings).tracked_users_feed_topic
    say(f"Imported into {feed_topic}: {imported}. Processors load them within seconds.")
    return 0


def _read(settings: Settings, destination: DestinationRow, file: str, partitions: int) -> FileUsers:
    from pipeline.bootstrap.tracked_users import read_file
    from pipeline.tools.tracked_users.users_file import bounded_lines

    with click.open_file(file, "rb") as opened:
        text = io.TextIOWrapper(opened, encoding="utf-8-sig", errors="surrogateescape", newline="")
        try:
            return read_file(settings, destination, bounded_lines(text), partitions, _Progress("lines read").show)
        finally:
            text.detach()


@tracked_users.command()
@destination_option
@pass_invocation
def export(invocation: Invocation, destination: DestinationRow) -> None:
    """Export tracked users as CSV.

    Users are hashes, which `import` accepts with the same secret and raw topic.
    """
    from pipeline.bootstrap.tracked_users import raw_partitions, users_topics
    from pipeline.tools.tracked_users.rows import BY_HASH, hash_row
    from pipeline.tools.tracked_users.tables import counts_by_month

    settings = _settings(invocation)
    topics = users_topics(settings, destination)
    fingerprint = topics.topics.codec.fingerprint.hex()
    counts: dict[int, int] = {}

    async def write() -> None:
        partitions = await raw_partitions(settings, destination)
        say(",".join(BY_HASH))
        for number in range(partitions):
            for month, users in (await topics.read(number)).users.months():
                counts[month] = counts.get(month, 0) + len(users)
                for user in users.users():
                    say(hash_row(user, number, month, partitions=partitions, fingerprint=fingerprint))

    asyncio.run(write())
    say_error(f"Exported: {counts_by_month(dict(sorted(counts.items()))) or 'no users'}.")


@tracked_users.command()
@destination_option
@pass_invocation
def stats(invocation: Invocation, destination: DestinationRow) -> None:
    """Count tracked users by partition and month.

    `by feed` counts the users who are tracked through the feed alone.
    """
    from pipeline.bootstrap.tracked_users import raw_partitions, users_topics
    from pipeline.tools.tracked_users.tables import table

    settings = _settings(invocation)
    topics = users_topics(settings, destination)

    async def count() -> None:
        partitions = [await topics.read(number) for number in range(await raw_partitions(settings, destination))]
        say(*table(partitions, has_feed=topics.topics.feed is not None))

    asyncio.run(count())


def _settings(invocation: Invocation) -> Settings:
    from pipeline.bootstrap import tls_mistakes
    from pipeline.bootstrap.tracked_users import tracking_mistakes

    return invocation.settings([Requirement.KAFKA], [tls_mistakes, tracking_mistakes])


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count:,} lines"


class _Progress:
    """Prints the progress every two seconds."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._next = time.monotonic() + _TELL_SECONDS

    def show(self, count: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _TELL_SECONDS
            say_error(f"{count:,} {self._what} …")
