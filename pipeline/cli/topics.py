"""`topics`: create the pipeline's topics, and check existing ones."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from pipeline.cli.context import Invocation, pass_invocation
from pipeline.output.printing import say, say_error
from pipeline.settings.choices import Requirement, Role

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pipeline.kafka.topic_use import TopicUse
    from pipeline.kafka.topics import FoundTopic
    from pipeline.settings.sections import Settings


@click.group()
def topics() -> None:
    """Create and check the topics in Kafka."""


@topics.command()
@pass_invocation
def create(invocation: Invocation) -> None:
    """Create the missing topics of the destinations in use, as the settings describe them.

    A destination is in use when any of its settings is set; Segment is when nothing of any is.

    Existing topics stay unchanged; where they differ from the settings is printed.
    """
    from pipeline.bootstrap import in_use, roles_of, tls_mistakes, topic_uses
    from pipeline.kafka.connection import connection_options
    from pipeline.kafka.errors import TopicsError
    from pipeline.kafka.topic_configuration import differences
    from pipeline.kafka.topic_plans import plan_topics
    from pipeline.kafka.topic_use import topics_of
    from pipeline.kafka.topics import Creation, await_topics, create_topics, describe_topics, find_faults

    settings = invocation.settings([Requirement.KAFKA], [tls_mistakes])
    connection = connection_options(settings)
    uses = topic_uses(roles_of(in_use(settings)), settings)
    raw = asyncio.run(describe_topics(connection)).get(settings.raw_topic)
    plans = plan_topics(settings, topics_of(uses), raw_partitions=None if raw is None else raw.partitions)
    outcomes = asyncio.run(create_topics(connection, plans))
    found = asyncio.run(await_topics(connection, [plan.name for plan in plans]))
    for plan in (plan for plan in plans if plan.name in found):
        there = found[plan.name].partitions
        say(f"{plan.name}: {outcomes[plan.name]}, {_counted(there)}{_wanted(there, plan.partitions)}")
        if outcomes[plan.name] is Creation.CREATED:
            shown = [f"{name}={value}" for name, value in plan.configuration.items()]
        else:
            shown = list(differences(plan.configuration, found[plan.name].configuration))
        say(*(f"  {each}" for each in shown))
    if faults := find_faults(found, settings, uses):  # last: topics may have been created nevertheless
        raise TopicsError(faults)
    _warn(found, settings, uses)


def _wanted(there: int, wanted: int) -> str:
    return "" if there == wanted else f" (the settings say {wanted}; partitions of an existing topic are not changed)"


@topics.command()
@click.argument("role", type=click.Choice([role.value for role in Role]), required=False)
@pass_invocation
def check(invocation: Invocation, role: str | None) -> None:
    """Check the topics of a ROLE (default: those of the destinations in use), and list every fault."""
    from pipeline.bootstrap import in_use, roles_of, tls_mistakes, topic_uses
    from pipeline.kafka.connection import connection_options
    from pipeline.kafka.topic_use import topics_of
    from pipeline.kafka.topics import check_topics

    settings = invocation.settings([Requirement.KAFKA], [tls_mistakes])
    everything = roles_of(in_use(settings)) if role is None else (Role(role),)
    uses = topic_uses(everything, settings)
    found = asyncio.run(check_topics(connection_options(settings), settings, uses))
    _warn(found, settings, uses)
    for name in (topic.name for topic in topics_of(uses)):
        if name in found:
            say(f"{name}: {_counted(found[name].partitions)}")


def _warn(found: Mapping[str, FoundTopic], settings: Settings, uses: Collection[TopicUse]) -> None:
    from pipeline.kafka.topics import find_warnings

    for warning in find_warnings(found, settings, uses):
        say_error(f"warning: {warning}")


def _counted(partitions: int) -> str:
    return "1 partition" if partitions == 1 else f"{partitions} partitions"
