"""Mixpanel: its sink's options and connections, and its records as Avro."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.bootstrap.destinations.options import delivery_options
from pipeline.bootstrap.destinations.row import DestinationRow, RecordFormat
from pipeline.core.classification import Destination
from pipeline.core.destinations.mixpanel.avro import encode_record, record_decoder
from pipeline.core.destinations.mixpanel.avro_contract import MIXPANEL_RECORD
from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.destinations.mixpanel.limits import MAX_RECORD_BYTES
from pipeline.core.destinations.mixpanel.names import ALLOWED_DOLLAR_NAMES
from pipeline.delivery.secret_file import SecretFile
from pipeline.metrics.credentials import CredentialsMetrics
from pipeline.settings.choices import Requirement
from pipeline.settings.mixpanel_section import MixpanelSettings
from pipeline.sinks.mixpanel.api import MixpanelApi
from pipeline.sinks.mixpanel.credentials import project_token_problem, service_account_secret_problem
from pipeline.sinks.mixpanel.options import ENDPOINTS, MixpanelOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

    from pipeline.settings.sections import Settings

_CALENDAR_MONTH_DAY: Final = 1
"""Mixpanel counts users by calendar month (schemas/SOURCES.md, "Mixpanel tracked users")."""


def mixpanel_options(settings: Settings) -> MixpanelOptions:
    """Return the options of the sink.

    Raises:
        OptionsError: an option cannot be used.
    """
    own = settings.mixpanel
    return MixpanelOptions(
        endpoint=own.endpoint or ENDPOINTS[own.region],
        project_token=own.project_token,
        service_account=own.service_account,
        service_account_secret=own.service_account_secret,
        project_id=own.project_id,
        **delivery_options(settings, own),
    )


def mixpanel_secret_file(settings: Settings, registry: CollectorRegistry) -> SecretFile | None:
    """Return what reads the token or the secret again when its file changes; None if it was given as a variable."""
    metrics, own = CredentialsMetrics(registry, destination=Destination.MIXPANEL.value), settings.mixpanel
    secret, setting, words = own.project_token, "project_token", "project token"
    problem_of = project_token_problem if secret is not None else service_account_secret_problem
    if secret is None:
        secret, setting, words = own.service_account_secret, "service_account_secret", "service account's secret"
    path = settings.secret_file(own.setting(setting))
    if path is None or secret is None:
        return None
    return SecretFile(path, secret, words=words, problem_of=problem_of, metrics=metrics)


def mixpanel_api(settings: Settings, secret: SecretFile | None = None) -> MixpanelApi:
    """Return Mixpanel as its sink sees it. All connections share one secret, which may change while they are open."""
    return MixpanelApi(mixpanel_options(settings), secret=None if secret is None else secret.current)


def mixpanel_records(settings: Settings, names: Mapping[str, str]) -> MixpanelRecords:
    """Return the record builders, with the names of the names file."""
    own = settings.mixpanel
    return MixpanelRecords(
        custom_names=names,
        mtu_reading=own.mtu_rules,
        anonymous_id=own.anonymous_id,
        send_device_id=own.send_device_id,
    )


MIXPANEL: Final = DestinationRow(
    name=Destination.MIXPANEL.value,
    settings=MixpanelSettings,
    section=lambda settings: settings.mixpanel,
    reserved_names=ALLOWED_DOLLAR_NAMES,
    billing_month_start_day=lambda _settings: _CALENDAR_MONTH_DAY,
    build_records=mixpanel_records,
    requirement=Requirement.MIXPANEL,
    fills_by_count=True,
    max_record_bytes=MAX_RECORD_BYTES,
    records=RecordFormat(contract=MIXPANEL_RECORD, encode=encode_record, compile_decoder=record_decoder),
    options=mixpanel_options,
    secret_file=mixpanel_secret_file,
    api=mixpanel_api,
)
