"""Rules between settings: each check gets a whole `Settings` and lists the contradictions in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.core.avro.schema_book import RawFormat
from pipeline.core.destinations.segment.names import NameProfile
from pipeline.settings.choices import RecordsFormat, Requirement
from pipeline.settings.environment import secret_file_variable
from pipeline.settings.mistakes import Mistake, variable
from pipeline.settings.state_section import LONGEST_MONTH_HOURS
from pipeline.settings.worker_section import LAST_COMMIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from pipeline.settings.destination_section import DestinationSettings
    from pipeline.settings.sections import Settings

_TLS_FILES: Final = ("kafka_ssl_ca_file", "kafka_ssl_certificate_file", "kafka_ssl_key_file", "kafka_ssl_key_password")
_SERVICE_ACCOUNT: Final = ("mixpanel_service_account", "mixpanel_service_account_secret", "mixpanel_project_id")
_CREDENTIALS: Final = ("kafka_sasl_username", "kafka_sasl_password")


def state_topics(settings: Settings, own: DestinationSettings) -> tuple[str, ...]:
    """List the settings of a destination's state topics in use."""
    in_use = {
        "tracked_users_topic": settings.tracked_users_secret is not None,
        "tracked_users_feed_topic": own.tracked_users_feed_topic is not None,
        "message_catalogue_topic": settings.message_catalogue,
    }
    return tuple(own.setting(field) for field, is_in_use in in_use.items() if is_in_use)


def missing(settings: Settings, requirements: Collection[Requirement]) -> Iterator[Mistake]:
    """List the required settings that are not set."""
    if Requirement.KAFKA in requirements and settings.kafka_bootstrap_servers is None:
        yield _mistake("{} is not set: give Kafka's brokers, such as `kafka-1:9092`.", "kafka_bootstrap_servers")
    if Requirement.SEGMENT in requirements and not settings.segment.has_credentials:
        file = secret_file_variable("segment_write_key")
        yield _mistake(
            f"{{}} is not set: give the write key of your Segment source, or name a file that holds it in {file}.",
            "segment_write_key",
        )

    if Requirement.MIXPANEL in requirements and not settings.mixpanel.has_credentials:
        file = secret_file_variable("mixpanel_project_token")
        yield _mistake(
            f"{{}} is not set: give the token of your Mixpanel project, or name a file that holds it in {file}; or "
            "give a service account with {}, {} and {}.",
            "mixpanel_project_token",
            *_SERVICE_ACCOUNT,
        )


def contradictions(settings: Settings) -> Iterator[Mistake]:
    """List the contradictions between settings."""
    for check in _CHECKS:
        yield from check(settings)


def _mistake(text: str, *fields: str) -> Mistake:
    return Mistake(fields=fields, text=text.format(*(variable(field) for field in fields)))


def _kafka_credentials(settings: Settings) -> Iterator[Mistake]:
    protocol = settings.kafka_security_protocol
    for field in _CREDENTIALS:
        given = getattr(settings, field) is not None
        if protocol.authenticates and not given:
            yield _mistake(f"{{}} is not set: {{}} is `{protocol}`, which needs it.", field, "kafka_security_protocol")
        if given and not protocol.authenticates:
            text = f"{{}} is set, but {{}} is `{protocol}`: use `SASL_SSL`, or remove the former."
            yield _mistake(text, field, "kafka_security_protocol")


def _kafka_certificates(settings: Settings) -> Iterator[Mistake]:
    protocol = settings.kafka_security_protocol
    for field in _TLS_FILES:
        if getattr(settings, field) is not None and not protocol.encrypts:
            text = f"{{}} is set, but {{}} is `{protocol}`: use `SSL` or `SASL_SSL`, or remove the former."
            yield _mistake(text, field, "kafka_security_protocol")
    if settings.kafka_ssl_key_file is not None and settings.kafka_ssl_certificate_file is None:
        yield _mistake("{} is not set: {} is of no use without it.", "kafka_ssl_certificate_file", "kafka_ssl_key_file")
    if settings.kafka_ssl_key_password is not None and settings.kafka_ssl_certificate_file is None:
        yield _mistake(
            "{} is not set: {} is of no use without it.", "kafka_ssl_certificate_file", "kafka_ssl_key_password"
        )


def _distinct_topics(settings: Settings) -> Iterator[Mistake]:
    records = (own.setting("records_topic") for own in settings.destinations)
    state = (field for own in settings.destinations for field in state_topics(settings, own))
    fields = ("raw_topic", *records, "dead_letter_topic", *state)
    yield from _distinct(settings, fields, "each needs its own topic")


def _feed(settings: Settings) -> Iterator[Mistake]:
    for own in settings.destinations:
        if own.tracked_users_feed_topic is not None and settings.tracked_users_secret is None:
            feed = own.setting("tracked_users_feed_topic")
            yield _mistake("{} is not set: {} is of no use without it.", "tracked_users_secret", feed)


def _distinct_groups(settings: Settings) -> Iterator[Mistake]:
    fields = tuple(own.setting(group) for own in settings.destinations for group in ("processor_group", "sink_group"))
    yield from _distinct(settings, fields, "each needs its own consumer group")


def _distinct(settings: Settings, fields: tuple[str, ...], need: str) -> Iterator[Mistake]:
    for index, field in enumerate(fields):
        for other in fields[index + 1 :]:
            if settings.value(field) == settings.value(other):
                yield _mistake(f"{{}} and {{}} are both `{settings.value(field)}`: {need}.", field, other)


def _rules(settings: Settings) -> Iterator[Mistake]:
    for own in settings.destinations:
        if own.rules_file is not None and own.rules_preset is not None:
            yield _mistake("{} and {} are both set: keep one.", own.setting("rules_file"), own.setting("rules_preset"))


def _names(settings: Settings) -> Iterator[Mistake]:
    own = settings.segment
    custom = own.name_profile is NameProfile.CUSTOM
    if custom and own.names_file is None:
        yield _mistake("{} is not set: {} is `custom`, which takes its names from it.", "names_file", "name_profile")
    if own.names_file is not None and not custom:
        text = f"{{}} is set, but {{}} is `{own.name_profile}`: set the latter to `custom`, or remove the former."
        yield _mistake(text, "names_file", "name_profile")


def _mixpanel_credentials(settings: Settings) -> Iterator[Mistake]:
    given = [field for field in _SERVICE_ACCOUNT if settings.value(field) is not None]
    if settings.mixpanel.project_token is not None:
        for field in given:
            text = "{} and {} are both set: keep the token, or the service account with its secret and project."
            yield _mistake(text, "mixpanel_project_token", field)
    elif given:
        for field in _SERVICE_ACCOUNT:
            if field not in given:
                yield _mistake("{} is not set: {} is of no use without it.", field, given[0])


def _formats(settings: Settings) -> Iterator[Mistake]:
    if settings.records_format is RecordsFormat.AVRO and settings.schema_registry_url is None:
        yield _mistake("{} is not set: {} is `avro`, which needs a registry.", "schema_registry_url", "records_format")
    json_only = settings.raw_format is RawFormat.JSON
    if not json_only and settings.schema_registry_url is None and settings.raw_schema_file is None:
        yield _mistake(
            f"{{}} is not set: {{}} is `{settings.raw_format}`, which needs a registry, or for single objects alone a "
            "schema in {}.",
            "schema_registry_url",
            "raw_format",
            "raw_schema_file",
        )
    if json_only and settings.raw_schema_file is not None:
        text = "{} is set, but {} is `json`: set the latter to `avro` or `auto`, or remove the former."
        yield _mistake(text, "raw_schema_file", "raw_format")


def _registry(settings: Settings) -> Iterator[Mistake]:
    for field in ("schema_registry_username", "schema_registry_password", "schema_registry_ca_file"):
        if getattr(settings, field) is not None and settings.schema_registry_url is None:
            yield _mistake("{} is set, but {} is not: set the latter too.", field, "schema_registry_url")
    username, password = settings.schema_registry_username, settings.schema_registry_password
    if (username is None) != (password is None):
        fields = ["schema_registry_username", "schema_registry_password"]
        unset, given = fields if username is None else reversed(fields)
        yield _mistake("{} is not set: {} is of no use without it.", unset, given)


def _addresses(settings: Settings) -> Iterator[Mistake]:
    for own in settings.destinations:
        if own.endpoint is not None and "region" in own.model_fields_set:
            yield _mistake("{} and {} are both set: keep one.", own.setting("endpoint"), own.setting("region"))


def _waits(settings: Settings) -> Iterator[Mistake]:
    for own in settings.destinations_in_use:
        first, last = own.setting("retry_base_seconds"), own.setting("retry_max_seconds")
        yield from _not_above(settings, first, last, "the first delay may not exceed the last")
        for field, wait in _NO_STALL.items():
            why = f"{wait} would look like a stall, so lower the former or raise the latter"
            yield from _not_above(settings, own.setting(field), "stall_timeout_seconds", why)


def _not_above(settings: Settings, lower: str, upper: str, why: str) -> Iterator[Mistake]:
    low, high = settings.value(lower), settings.value(upper)
    if low > high:
        yield _mistake(f"{{}} is {low:g} and {{}} is {high:g}: {why}.", lower, upper)


def _revocation(settings: Settings) -> Iterator[Mistake]:
    settling, rebalance = settings.revoke_timeout_seconds, settings.rebalance_timeout_seconds
    if settling + LAST_COMMIT_SECONDS > rebalance:
        yield _mistake(
            f"{{}} is {settling:g}, with {LAST_COMMIT_SECONDS:g} s for the last commit, and {{}} is {rebalance:g}: "
            "Kafka would drop a member that still gives partitions up, so lower the former or raise the latter.",
            "revoke_timeout_seconds",
            "rebalance_timeout_seconds",
        )


def _retention(settings: Settings) -> Iterator[Mistake]:
    """A mark of a month's first day is needed for as long as the last raw event of that month can be read again."""
    kept, raw = settings.tracked_users_topic_retention_hours, settings.raw_topic_retention_hours
    if settings.tracked_users_secret is None or kept < 0:
        return
    if raw < 0:
        why = "{} is -1, so raw events of any month can be read again: set the former to `-1` too"
    elif kept < LONGEST_MONTH_HOURS + raw:
        why = (
            f"users would be forgotten while raw events of their month can still be read. Set it to "
            f"{LONGEST_MONTH_HOURS + raw} or more: a month of {LONGEST_MONTH_HOURS}, and {{}} of {raw}"
        )
    else:
        return
    fields = ("tracked_users_topic_retention_hours", "raw_topic_retention_hours")
    yield _mistake(f"{{}} is {kept}: {why}.", *fields)


_NO_STALL: Final = {
    "flush_interval_seconds": "records that wait for their batch",
    "request_timeout_seconds": "a request that waits for its answer",
}
_CHECKS: Final[tuple[Callable[[Settings], Iterator[Mistake]], ...]] = (
    _kafka_credentials,
    _kafka_certificates,
    _distinct_topics,
    _feed,
    _distinct_groups,
    _rules,
    _names,
    _mixpanel_credentials,
    _formats,
    _registry,
    _addresses,
    _waits,
    _revocation,
    _retention,
)
