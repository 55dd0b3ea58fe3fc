"""Build the count of `rules what-if`, and run it over the raw topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.bootstrap.policy import build_policy
from pipeline.bootstrap.processor_formats import raw_reader
from pipeline.bootstrap.producer import now_ms
from pipeline.core.billing_month import BillingMonth
from pipeline.core.classification import Destination
from pipeline.kafka.connection import connection_options
from pipeline.runtime.allocation import bound_unpacking
from pipeline.state.message_catalogue import MessageCatalogue
from pipeline.tools.what_if.accounts import Account
from pipeline.tools.what_if.counting import Count
from pipeline.tools.what_if.run import count_all
from pipeline.tools.what_if.topic import open_topic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.bootstrap.destinations.row import DestinationRow
    from pipeline.output.console import TerminalConsole
    from pipeline.settings.sections import Settings
    from pipeline.tools.what_if.findings import Findings
    from pipeline.tools.what_if.tally import RuleSet


def build_count(
    settings: Settings,
    destinations: Sequence[DestinationRow],
    sets: Sequence[RuleSet],
    everything: RuleSet,
    *,
    exact_users: int,
) -> Count:
    """Return a count of rule sets; the first is the baseline, and `everything` is the one that drops nothing."""
    return Count(
        sets,
        everything,
        accounts=[_account(settings, row) for row in destinations],
        exact_users=exact_users,
        now_ms=now_ms(),
    )


def _account(settings: Settings, row: DestinationRow) -> Account:
    days = settings.message_catalogue_days
    return Account(
        destination=Destination(row.name),
        policy=build_policy(settings, row),
        billing_month=BillingMonth(row.billing_month_start_day(settings)),
        catalogue=MessageCatalogue(days=days, longest_step_ms=None) if settings.message_catalogue else None,
    )


async def count_topic(
    settings: Settings, count: Count, console: TerminalConsole, *, since_ms: int | None
) -> Sequence[Findings]:
    """Count the messages of the raw topic from a time on; progress is shown on the console.

    Raises:
        ClusterFaultError: Kafka, the topic or the schema registry cannot be used.
    """
    connection = connection_options(settings)
    bound_unpacking(settings.max_unpacked_batch_bytes)
    async with (
        raw_reader(settings) as reader,
        open_topic(connection, settings.raw_topic, since_ms=since_ms) as topic,
    ):
        count.decode = reader.decode
        return await count_all(topic, count, console, reader.learn)
